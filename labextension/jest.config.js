module.exports = {
  testEnvironment: 'node',
  testRegex: 'tests/.*\\.spec\\.ts$',
  transform: { '\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.test.json' }] }
};
