package frontend

import "strings"

func accountButton(f Form) string {
	switch {
	case f.Danger:
		return "danger"
	case f.Quiet:
		return ""
	}
	return "primary"
}

// accountDescribed are the ids of what explains a field.
func accountDescribed(f FormField, id string) string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, id+"-hint")
	}
	if f.Wrong != "" {
		ids = append(ids, id+"-wrong")
	}
	return strings.Join(ids, " ")
}

func sessionName(l *Localizer, s SessionRow) string {
	if s.Device == "" {
		return l.Text("me.unknown_device")
	}
	return s.Device
}

func scopeNames(l *Localizer, scopes []string) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = l.Code("scope", s)
	}
	return strings.Join(names, ", ")
}
