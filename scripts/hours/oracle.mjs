// Asks npm's opening_hours what it thinks of many values at many moments, and writes the answers as JSON to standard output.
// Started by ./run, with the library's folder and the list of values.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

console.error = () => {} // it reports each year whose school holidays it does not know
const [folder, list] = process.argv.slice(2)
const require = createRequire(path.join(folder, 'package.json'))
const library = require('opening_hours')
const OpeningHours = library.opening_hours ?? library.default ?? library
const { version } = JSON.parse(readFileSync(path.join(folder, 'node_modules/opening_hours/package.json')))

// mulberry32: the same numbers on every run.
let seed = 20260921
const random = () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}
const int = (low, high) => low + Math.floor(random() * (high - low + 1))
const pick = (a) => a[int(0, a.length - 1)]

const weekdays = ['Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa', 'Su']
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const clock = (m) => `${String(Math.floor(m / 60)).padStart(2, '0')}:${String(m % 60).padStart(2, '0')}`

function days() {
  const item = () => {
    const r = random()
    if (r < 0.1) return 'PH'
    if (r < 0.25) return `${pick(weekdays)}[${pick(['1', '2', '-1', '1,3', '2-4'])}]`
    if (r < 0.65) {
      const from = int(0, 6)
      return `${weekdays[from]}-${weekdays[(from + int(1, 5)) % 7]}`
    }
    return pick(weekdays)
  }
  return Array.from({ length: pick([1, 1, 1, 2, 3]) }, item).join(',')
}
function dates() {
  const r = random()
  if (r < 0.4) return `${pick(months)}-${pick(months)}`
  if (r < 0.5) return `week ${int(1, 20)}-${int(21, 53)}${pick(['', '', '/2'])}`
  if (r < 0.8) return `${pick(months)} ${int(1, 28)}-${pick(months)} ${int(1, 28)}`
  return `${pick(months)} ${int(1, 28)}`
}
function times() {
  const out = []
  for (let at = int(0, 12) * 60, n = pick([1, 1, 2, 2, 3]); n > 0 && at < 1410; n--) {
    const from = at + int(0, 8) * 15
    const to = from + int(1, 30) * 15
    if (from > 1425) break
    out.push(`${clock(from)}-${clock(to > 1440 ? (random() < 0.5 ? to : to - 1440) : to)}`)
    at = to + 15
  }
  return out.join(',') || '09:00-17:00'
}
function rule(first) {
  const parts = []
  if (random() < 0.3) parts.push(dates())
  if (parts.length === 0 || random() < 0.6) parts.push(days())
  if (random() < 0.8) parts.push(times())
  const r = random()
  if (!first && r < 0.3) parts.push('off')
  else if (r < 0.4) parts.push(`"note ${int(1, 9)}"`)
  else if (r < 0.5) parts.push(`open "note ${int(1, 9)}"`)
  else if (r < 0.55) parts.push('unknown')
  return parts.join(' ')
}
const delimited = (s) => /[\d"]$|(off|unknown)$/.test(s) && !/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d+$|week [\d,/-]+$/.test(s)
function generated() {
  let value = rule(true)
  for (let n = pick([0, 1, 1, 2, 3]); n > 0; n--) {
    const r = random()
    value += (r < 0.15 ? ' || ' : r < 0.4 && delimited(value) && !/\|\|[^;]*$/.test(value) ? ', ' : '; ') + rule(false)
  }
  return value
}

const values = readFileSync(list, 'utf8').split('\n').filter((l) => l && !l.startsWith('#'))
for (let n = 0; n < 300; n++) values.push(generated())

// Moments of ten years: any, at quarters of an hour, around midnight, when the clocks change, and on holidays.
const begin = Date.UTC(2024, 0, 1), length = 10 * 365 * 86400
const changes = []
for (let t = begin; t < begin + length * 1000; t += 900e3)
  if (new Date(t).getTimezoneOffset() !== new Date(t - 900e3).getTimezoneOffset()) changes.push(t)
const holidays = []
for (let y = 2024; y < 2034; y++) for (const [m, d] of [[1, 1], [5, 1], [5, 8], [7, 14], [8, 15], [11, 1], [11, 11], [12, 25], [12, 26]]) holidays.push(new Date(y, m - 1, d).getTime())
const instants = Array.from({ length: 11600 }, (_, n) => {
  const any = begin + int(0, length) * 1000
  switch (n % 8) {
    case 0: case 1: case 2: return any
    case 3: case 4: return any - (any % 900e3)
    case 5: return new Date(any).setHours(24, pick([-1, 0, 1]), 0, 0)
    case 6: return pick(changes) + int(-12, 12) * 900e3
    default: return pick(holidays) + int(-4, 100) * 900e3
  }
})

const perValue = 300, nextPerValue = 20
const answers = []
values.forEach((line, i) => {
  const [, state, value] = line.match(/^(?:@(\S+) )?(.*)$/)
  const place = { lat: 45.44, lon: 4.39, address: { country_code: 'fr', state: state ?? 'Auvergne-Rhône-Alpes' } }
  let hours
  try {
    hours = new OpeningHours(value, place)
  } catch (err) {
    answers.push({ value, state, error: String(err).split('\n')[0] })
    return
  }
  const offset = (i * perValue) % instants.length
  const comments = [''], next = []
  let states = '', said = ''
  for (let n = 0; n < perValue; n++) {
    const at = new Date(instants[(offset + n) % instants.length])
    try {
      const s = hours.getStateString(at, true)
      let comment = hours.getComment(at) ?? ''
      let change
      if (n < nextPerValue) change = hours.getNextChange(at, new Date(at.getTime() + 390 * 86400e3))
      if (!value.includes(`"${comment}"`)) comment = '' // names of holidays, notes of its own
      if (!comments.includes(comment)) comments.push(comment)
      states += s === 'open' ? 'o' : s === 'unknown' ? 'u' : 'c'
      said += comments.indexOf(comment).toString(36)
      if (n < nextPerValue) next.push(change ? change.getTime() / 1000 : 0)
    } catch (err) {
      hours = new OpeningHours(value, place) // it does not survive its own error
      states += 'x' // school holidays are known for some years only
      said += '0'
      if (n < nextPerValue) next.push(-1)
    }
  }
  answers.push({ value, state, offset, states, comments: comments.length > 1 ? comments : undefined, said: comments.length > 1 ? said : undefined, next })
})
console.log(JSON.stringify({ library: `opening_hours ${version}`, zone: process.env.TZ, instants: instants.map((t) => Math.floor(t / 1000)), answers }))
