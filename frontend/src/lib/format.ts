const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
})
const day = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' })
const whole = new Intl.NumberFormat('en-US')
export const MISSING = '–'

/** 0.925 → "0.93"; a score is always in [0, 1]. */
export const score = (value: number | null | undefined): string =>
  value === null || value === undefined || !Number.isFinite(value) ? MISSING : value.toFixed(2)

/** Difference with its sign, a real minus, and no "−0.00". */
export function signed(value: number | null | undefined, digits = 2): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return MISSING
  const rounded = Math.abs(value).toFixed(digits)
  if (Number(rounded) === 0) return `±${rounded}`
  return `${value < 0 ? '−' : '+'}${rounded}`
}

export const count = (value: number): string => whole.format(value)

/** Percent in at most one decimal: 50 → "50 %", 2.5 → "2.5 %". */
export const percent = (value: number): string => `${Number(value.toFixed(1))} %`

export const release = (number: number | null | undefined, id?: string | null): string =>
  number !== null && number !== undefined ? `v${number}` : id ? id.slice(0, 8) : MISSING

export const time = (iso: string): string => clock.format(new Date(iso))

/** Seconds as people say them: "4.2 s", "1 min 24 s", "2 h 5 min", "3 d 4 h". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return MISSING
  const s = Math.max(0, seconds)
  if (s < 10) return `${s.toFixed(1)} s`
  if (s < 60) return `${Math.round(s)} s`
  const minutes = Math.floor(Math.round(s) / 60)
  const rest = Math.round(s) % 60
  if (minutes < 60) return rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** A forecast, no finer than it can be trusted: "a few seconds", "35 s", "4 min", "1.5 h". */
export function roughly(seconds: number): string {
  if (seconds < 8) return 'a few seconds'
  if (seconds < 58) return `${Math.max(10, Math.round(seconds / 5) * 5)} s`
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`
  return `${Number((seconds / 3600).toFixed(1))} h`
}

export function ago(iso: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000)
  if (seconds < 5) return 'just now'
  if (seconds < 60) return `${Math.round(seconds)} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`
  if (seconds < 7 * 86_400) return `${Math.floor(seconds / 86_400)} d ago`
  return day.format(new Date(iso))
}

/** Exact moment, for tooltips: local time and UTC. */
export const moment = (iso: string): string => {
  const date = new Date(iso)
  return `${date.toLocaleString()} (${date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC')})`
}

export function between(start: string | null, end: string | null, now: number): number | null {
  if (!start) return null
  return ((end ? Date.parse(end) : now) - Date.parse(start)) / 1000
}

export const word = (name: string): string => name.replaceAll('_', ' ').replaceAll('-', ' ')
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
