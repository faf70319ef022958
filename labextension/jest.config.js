module.exports = {
  testEnvironment: 'node',
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/lib/'],
  testRegex: 'tests/.*\\.spec\\.ts$',
  transform: { '\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.test.json' }] }
};
