import { builtinModules } from "node:module";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

/** Few rules, each against a mistake that the compiler lets through. Layout is prettier's; arrows are test/architecture.test.ts's. */
export default defineConfig(
  { ignores: ["dist/", ".tap/", "memory/"] },
  {
    files: ["**/*.ts", "**/*.js", "**/*.mjs"],
    extends: [tseslint.configs.base],
    linterOptions: { reportUnusedDisableDirectives: "error" },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: "error",
      "no-console": "error",
      "no-restricted-imports": [
        "error",
        {
          paths: [
            ...builtinModules
              .filter((name) => !name.startsWith("_") && !name.startsWith("node:"))
              .map((name) => ({ name, message: `Write "node:${name}".` })),
            { name: "@sinclair/typebox", message: "The schemas come from typebox." },
          ],
        },
      ],
      "prefer-const": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "separate-type-imports" }],
      "@typescript-eslint/no-explicit-any": "error",
      // tap waits for its subtests itself.
      "@typescript-eslint/no-floating-promises": [
        "error",
        { allowForKnownSafePromises: [{ from: "package", package: "@tapjs/core", name: "PromiseWithSubtest" }] },
      ],
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/only-throw-error": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ["cli/output.ts", "scripts/**", "bench/**"],
    rules: { "no-console": "off" },
  },
);
