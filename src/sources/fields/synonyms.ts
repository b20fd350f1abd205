/**
 * The usual names of a location's fields, in lower case and without spaces, `_` and `-`; a dot leads into a nested
 * object or array.
 */
export const synonyms: Readonly<Record<string, readonly string[]>> = {
  id: ['id', 'geonameid', 'cityid', 'locationid', 'stationid'],
  latitude: [
    ...['latitude', 'lat', 'latitudedeg', 'latdeg', 'latitudedegrees', 'latitudewgs84', 'geolat', 'decimallatitude'],
    ...[
      'coord.lat',
      'coords.lat',
      'coordinates.lat',
      'coordinates.latitude',
      'location.lat',
      'location.latitude',
      'position.lat',
      'geo.lat',
    ],
    ...['location.coordinates.1', 'geometry.coordinates.1'],
  ],
  longitude: [
    ...[
      'longitude',
      'lon',
      'lng',
      'long',
      'longitudedeg',
      'londeg',
      'longitudedegrees',
      'longitudewgs84',
      'geolon',
      'geolng',
      'decimallongitude',
    ],
    ...[
      'coord.lon',
      'coords.lon',
      'coordinates.lon',
      'coordinates.lng',
      'coordinates.longitude',
      'location.lon',
      'location.lng',
      'location.longitude',
    ],
    ...['position.lon', 'position.lng', 'geo.lon', 'geo.lng', 'location.coordinates.0', 'geometry.coordinates.0'],
  ],
  city: ['city', 'name', 'cityname', 'town', 'place', 'placename', 'locationname', 'stationname'],
  state: [
    'state',
    'statename',
    'province',
    'region',
    'admin1',
    'admin1name',
    'adminname',
    'adminname1',
    'admin1code',
    'statecode',
    'subdivision1name',
  ],
  forecast_duration_hours: ['forecastdurationhours'],
  historical_duration_hours: ['historicaldurationhours'],
}
