// Reads calendars that ./main.go wrote, one JSON object a line on standard input, with npm's ical.js, and compares the dates
// that it finds in them with those that we meant. Started by ./run, with the library's folder.
import { createRequire } from 'node:module'
import path from 'node:path'
import readline from 'node:readline'
import { pathToFileURL } from 'node:url'

const folder = process.argv[2]
const require = createRequire(path.join(folder, 'package.json'))
const { default: ICAL } = await import(pathToFileURL(require.resolve('ical.js')).href)

let events = 0, dates = 0, wrong = 0
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { calendar, until, dates: meant } = JSON.parse(line)
  const root = new ICAL.Component(ICAL.parse(calendar))
  ICAL.TimezoneService.reset()
  for (const zone of root.getAllSubcomponents('vtimezone')) ICAL.TimezoneService.register(zone)
  const all = root.getAllSubcomponents('vevent')
  const event = new ICAL.Event(all.find((e) => !e.hasProperty('recurrence-id')))
  const text = (t) => (t.isDate ? t.toString() : t.toUnixTime())
  const second = (t) => (t.isDate ? Date.parse(t.toString() + 'T00:00:00Z') / 1000 : t.toUnixTime())
  const have = []
  const take = (start, end, item) => {
    const off = item.component.getFirstPropertyValue('status') === 'CANCELLED' ? '-' : ''
    if (second(start) < until) have.push(`${off}${text(start)}/${text(end)}`)
  }
  if (event.isRecurring()) {
    const iterator = event.iterator()
    for (let next, n = 0; n < 5000 && (next = iterator.next()); n++) {
      if (second(next) >= until + 10 * 86400) break
      const o = event.getOccurrenceDetails(next)
      take(o.startDate, o.endDate, o.item)
    }
  } else take(event.startDate, event.endDate, event)
  const got = have.sort().join(' '), want = meant.slice().sort().join(' ')
  events++
  dates += meant.length
  if (got !== want && ++wrong < 4) console.error(`${calendar}\n ical.js: ${got}\n    ours: ${want}\n`)
}
console.log(`${events} events with ${dates} dates, ${wrong} read otherwise`)
if (wrong > 0 || events < 100 || dates < 1000) process.exit(1)
