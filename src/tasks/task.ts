/** A task, as workers read it. */
export interface Task {
  /** UUIDv5 of slot and location, in lower case. */
  task_id: string
  /** Degrees, -90..90. */
  latitude_deg: number
  /** Degrees, -180..180. */
  longitude_deg: number
  /** 1..200 characters. */
  city: string
  /** 0..200 characters: state, province or first-level region. */
  state: string
  /** Hours, whole, 0 or more. */
  forecast_duration_hours: number
  /** Hours, whole, 0 or more. */
  historical_duration_hours: number
  /** A location's other keys, under snake_case names. */
  [extra: string]: unknown
}

/** The keys that owm itself reads or writes: no extra key of a location may have one of these names in a task. */
export const ownKeys: ReadonlySet<string> = new Set([
  'id',
  'task_id',
  'location_id',
  'latitude',
  'longitude',
  'latitude_deg',
  'longitude_deg',
  'city',
  'state',
  'forecast_duration_hours',
  'historical_duration_hours',
])
