/** Preferences: what holds where nothing, or nonsense, was said. */

import { readFileSync } from 'fs';
import { DEFAULTS, readPreferences } from '../src/settings';

const schema = JSON.parse(readFileSync('schema/plugin.json', 'utf-8'));

describe('preferences', () => {
  it('are those of the schema, with the same defaults', () => {
    const said = Object.entries(schema.properties).map(([name, property]) => [
      name,
      (property as { default: unknown }).default
    ]);
    expect(Object.fromEntries(said)).toEqual(DEFAULTS);
  });

  it('count as not given when they are of the wrong type', () => {
    const foreign = {
      showMarks: 'no',
      notifications: 0,
      notifyAfter: -1,
      opens: 'everything',
      timeline: null,
      polling: 0
    };
    expect(readPreferences(foreign)).toEqual(DEFAULTS);
  });

  it('are taken when they are right', () => {
    const given = {
      showMarks: false,
      notifications: false,
      notifyAfter: 0,
      opens: 'tree',
      timeline: true,
      polling: 2
    };
    expect(readPreferences(given)).toEqual(given);
  });
});
