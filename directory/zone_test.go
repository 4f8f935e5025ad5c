package directory

import "testing"

func TestZone(t *testing.T) {
	for name, there := range map[string]bool{
		"Europe/Paris": true, "UTC": true, "Etc/GMT+3": true, "America/Argentina/Salta": true,
		"": false, "Local": false, "localtime": false, "posixrules": false, "posix/Europe/Paris": false, "right/Europe/Paris": false,
		"../zoneinfo/UTC": false, "Europe/Lutetia": false,
	} {
		for range 2 {
			if loc, err := Zone(name); (err == nil) != there || there && loc.String() != name {
				t.Errorf("%q is %v, %v", name, loc, err)
			}
		}
	}
}
