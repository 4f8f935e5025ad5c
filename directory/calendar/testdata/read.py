"""Reads a calendar with python3-icalendar and tells what it understood, as JSON."""
import datetime, json, sys
import icalendar

def value(v):
    dt = getattr(v, "dt", None)
    if isinstance(dt, datetime.datetime):
        return dt.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if dt.tzinfo else dt.isoformat()
    if isinstance(dt, datetime.date):
        return dt.isoformat()
    dts = getattr(v, "dts", None)
    if dts is not None:
        return [value(d) for d in dts]
    cats = getattr(v, "cats", None)
    if cats is not None:
        return [str(c) for c in cats]
    if hasattr(v, "to_ical") and not isinstance(v, str):
        return v.to_ical().decode() if isinstance(v.to_ical(), bytes) else str(v.to_ical())
    return str(v)

cal = icalendar.Calendar.from_ical(sys.stdin.buffer.read())
out = {"name": str(cal.get("X-WR-CALNAME")), "zones": [], "events": []}
for c in cal.walk():
    if c.name == "VTIMEZONE":
        tz = c.to_tz()
        hours = []
        for moment in json.loads(sys.argv[1]) if len(sys.argv) > 1 else []:
            at = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).astimezone(tz)
            hours.append(int(at.utcoffset().total_seconds()))
        out["zones"].append({"name": str(c["TZID"]), "offsets": hours})
    if c.name == "VEVENT":
        out["events"].append({k: value(v) for k, v in c.items()})
        if c.errors:
            out["events"][-1]["ERRORS"] = str(c.errors)
json.dump(out, sys.stdout)
