/** Under which names lists of places usually keep what a location needs. */
const synonyms: Readonly<Record<string, readonly string[]>> = {
  id: ['id', 'geonameid', 'geoname_id', 'city_id', 'location_id'],
  latitude: ['latitude', 'lat', 'latitude_deg'],
  longitude: ['longitude', 'lon', 'lng', 'long', 'longitude_deg'],
  city: ['city', 'name', 'city_name'],
  state: ['state', 'state_name', 'province', 'region', 'admin1'],
}

/**
 * What each of a list's column names means to owm; a name that means nothing
 * special stays itself. The first synonym that occurs wins.
 */
export function meaningOf(names: readonly string[]): string[] {
  const lower = names.map((name) => name.trim().toLowerCase())
  const meant = names.map((name) => name.trim())
  for (const [key, known] of Object.entries(synonyms)) {
    const found = known.find((name) => lower.includes(name))
    if (found !== undefined) meant[lower.indexOf(found)] = key
  }
  return meant
}
