/** Every text that people read goes through the translation bundle. */

import { readdirSync, readFileSync } from 'fs';
import { join } from 'path';
import * as ts from 'typescript';

const SOURCES = (readdirSync('src', { recursive: true }) as string[])
  .filter(name => name.endsWith('.ts'))
  .map(name => join('src', name));

const TRANSLATED = ['__', '_n', '_p', '_np', 'gettext', 'ngettext'];
/** Functions whose second argument is a list of classes. */
const CLASSED = ['element', 'button'];
/** What JupyterLab itself reads in English: descriptions of plugins, tokens and arguments. */
const DESCRIBING = ['description'];
/** Names of keys, documents, states, classes and headers; what is said to, or by, a kernel, and in a terminal. */
const NAMES =
  /^(Arrow\w+|Home|End|Enter|Escape|Page\w+|Tab|Notebook|last seen running|Content-\w+|jupyter durable .*|log error|%durable .*|once is on|from jupyter_durable import .*|args, kwargs = .*)$/;
/** It repeats core/calltree.py word for word, which speaks English; the page's words are in words.ts. */
const KERNEL_WORDS = 'src/model/calltree.ts';

function isText(text: string): boolean {
  return (
    !NAMES.test(text) &&
    (/\p{L}{2,}[,:.…]? \p{L}{2,}/u.test(text) || /^\p{Lu}\p{Ll}+/u.test(text))
  );
}

function calls(node: ts.Node, names: string[]): node is ts.CallExpression {
  if (!ts.isCallExpression(node)) {
    return false;
  }
  const { expression: called } = node;
  const name = ts.isPropertyAccessExpression(called)
    ? called.name.text
    : ts.isIdentifier(called)
      ? called.text
      : '';
  return names.includes(name);
}

function exempt(node: ts.Node): boolean {
  const parent = node.parent;
  return (
    ts.isImportDeclaration(parent) ||
    ts.isLiteralTypeNode(parent) ||
    ts.isNewExpression(parent) ||
    (ts.isPropertyAssignment(parent) &&
      DESCRIBING.includes(parent.name.getText())) ||
    (calls(parent, CLASSED) && parent.arguments[1] === node)
  );
}

/** Texts of a source that stand outside of the bundle. */
function untranslated(name: string, text: string): string[] {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.ES2020, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (calls(node, TRANSLATED)) {
      return;
    }
    const said =
      ts.isStringLiteralLike(node) ||
      ts.isTemplateHead(node) ||
      ts.isTemplateMiddleOrTemplateTail(node)
        ? node.text
        : '';
    if (isText(said) && !exempt(node)) {
      const at = file.getLineAndCharacterOfPosition(node.getStart());
      found.push(`${name}:${at.line + 1}: ${said}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

describe('texts', () => {
  it.each(SOURCES.filter(name => name !== KERNEL_WORDS))(
    'of %s go through the bundle',
    name => {
      expect(untranslated(name, readFileSync(name, 'utf-8'))).toEqual([]);
    }
  );

  it('that stand outside of it are found', () => {
    const said = "const a = say('It is running'); b.title = `Copied ${a}`;";
    expect(untranslated('a.ts', said)).toHaveLength(2);
    expect(untranslated('a.ts', "trans.__('It is running');")).toEqual([]);
  });
});
