// Asks npm's rrule for the dates of random rules around changes of the clocks, and writes them as JSON to standard output.
// rrule counts in the times that clocks show; Temporal tells which moments those are, by the rules of RFC 5545: an hour that
// there is twice is the first, one that there is not is as far after the change. Started by ./run, with the libraries' folder.
import { createRequire } from 'node:module'
import path from 'node:path'

const require = createRequire(path.join(process.argv[2], 'package.json'))
const { RRule, RRuleSet } = require('rrule')
const { Temporal } = require('@js-temporal/polyfill')

// mulberry32: the same numbers on every run.
let seed = 55450001
const random = () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}
const int = (low, high) => low + Math.floor(random() * (high - low + 1))
const pick = (a) => a[int(0, a.length - 1)]
const some = (make, most) => [...new Set(Array.from({ length: int(1, most) }, make))]
const chance = (p) => random() < p

const weekdays = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU']
const zones = ['Europe/Paris', 'Europe/Paris', 'America/New_York', 'Australia/Sydney', 'America/Santiago', 'Europe/Lisbon', 'Asia/Kolkata', 'Indian/Reunion']
const clocks = ['00:00', '00:30', '01:30', '02:00', '02:30', '02:59', '03:00', '09:15', '18:00', '23:30']
const pad = (n) => String(n).padStart(2, '0')
const wall = (ms) => Temporal.PlainDateTime.from(new Date(ms).toISOString().slice(0, 19))
const moment = (ms, zone) => wall(ms).toZonedDateTime(zone, { disambiguation: 'compatible' }).epochMilliseconds / 1000
const basic = (ms) => new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '')
const day = 86400000

// changes are the moments at which a zone's clocks change, of the years that rules are looked at.
const changes = (zone) => {
  const out = []
  let at = Temporal.Instant.from('2026-01-01T00:00Z').toZonedDateTimeISO(zone)
  while ((at = at.getTimeZoneTransition('next')) && at.year < 2031) out.push(at.epochMilliseconds)
  return out.length ? out : [Date.UTC(2027, 2, 28, 1), Date.UTC(2028, 9, 29, 1)]
}

function rule() {
  const freq = pick(['DAILY', 'WEEKLY', 'WEEKLY', 'MONTHLY', 'MONTHLY', 'YEARLY'])
  const parts = [`FREQ=${freq}`]
  if (chance(0.5)) parts.push(`INTERVAL=${int(1, freq === 'YEARLY' ? 2 : 5)}`)
  if (chance(0.2)) parts.push(`WKST=${pick(weekdays)}`)
  if (freq === 'YEARLY' || chance(0.15)) parts.push(`BYMONTH=${some(() => int(1, 12), 4)}`)
  const kind = random()
  if (freq === 'WEEKLY' || freq === 'DAILY') {
    if (kind < 0.7) parts.push(`BYDAY=${some(() => pick(weekdays), 3)}`)
  } else if (kind < 0.45) {
    parts.push(`BYDAY=${some(() => pick(['', 1, 2, 3, 4, -1, -2]) + pick(weekdays), 3)}`)
  } else if (kind < 0.75) {
    parts.push(`BYMONTHDAY=${some(() => (chance(0.3) ? -int(1, 10) : int(1, 31)), 3)}`)
  } else if (kind < 0.9) {
    parts.push(`BYDAY=${some(() => pick(weekdays), 5)}`, `BYSETPOS=${pick([1, 2, -1, -2, '1,-1'])}`)
  }
  return parts
}

const cases = []
while (cases.length < 1000) {
  const zone = pick(zones)
  const change = pick(changes(zone))
  const [h, m] = pick(clocks).split(':').map(Number)
  const midnight = Math.floor(change / day) * day
  const start = midnight - int(0, 900) * day + (h * 60 + m) * 60000
  if (wall(start).toZonedDateTime(zone).toPlainDateTime().toString() !== wall(start).toString()) continue // there is no such hour
  const parts = rule()
  const end = random()
  let until = null
  if (end < 0.2) parts.push(`COUNT=${int(1, 200)}`)
  else if (end < 0.4) {
    until = midnight + int(-20, 40) * day + (h * 60 + m) * 60000
    if (until < start) continue
  }
  const text = parts.join(';')
  const options = RRule.parseString(text)
  const set = new RRuleSet(true) // no cache: dates are taken out of it below
  set.rrule(new RRule({ ...options, dtstart: new Date(start), ...(until ? { until: new Date(until) } : {}) }))
  const from = midnight - 45 * day, to = midnight + 45 * day
  const all = set.between(new Date(from), new Date(to), true)
  const without = []
  if (all.length > 2 && chance(0.3)) {
    const gone = pick(all)
    set.exdate(gone)
    without.push(moment(gone.getTime(), zone))
  }
  const dates = set.between(new Date(from), new Date(to), true).map((d) => moment(d.getTime(), zone))
  cases.push({
    zone, start: moment(start, zone),
    rule: until ? `${text};UNTIL=${basic(moment(until, zone) * 1000)}` : text,
    exdates: without, from: moment(from, zone), to: moment(to, zone), dates,
  })
}
process.stdout.write('[\n' + cases.map((c) => JSON.stringify(c)).join(',\n') + '\n]\n')
