module.exports = {
  testEnvironment: 'node',
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/lib/'],
  testRegex: 'tests/.*\\.spec\\.ts$',
  // Types are checked by `tsc` of `jlpm check`: once, and only what has changed.
  transform: {
    '\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.test.json' }]
  }
};
