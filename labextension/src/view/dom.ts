/**
 * The few things done with elements.
 *
 * Rules of this file
 * - Text is text: nothing here takes markup, and characters that could hide or turn text are written out.
 * - Elements are patched by key and kept in place: a button that is pressed while an update comes is still there.
 */

/** Control and direction characters, which could hide or reorder what stands beside them; and escape sequences. */
const HIDDEN =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
// eslint-disable-next-line no-control-regex
const COLOURS = /\u001b\[[0-9;]*m/g;

/** Foreign text as it may be shown. */
export function visible(text: string): string {
  return text
    .replace(COLOURS, '')
    .replace(/\r\n/g, '\n')
    .replace(
      HIDDEN,
      each => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`
    );
}

/** An element with a class, text and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  name: string,
  content: string | (HTMLElement | string)[] = []
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (name) {
    made.className = name
      .split(' ')
      .map(each => `jp-durable-${each}`)
      .join(' ');
  }
  if (typeof content === 'string') {
    made.textContent = content;
  } else {
    made.append(...content);
  }
  return made;
}

export function button(
  label: string,
  name: string,
  pressed: () => void
): HTMLButtonElement {
  const made = element('button', name, label);
  made.type = 'button';
  made.addEventListener('click', event => {
    event.stopPropagation();
    pressed();
  });
  return made;
}

export function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** Set an attribute; null takes it away. */
export function setAttribute(
  node: HTMLElement,
  name: string,
  value: string | null
): void {
  if (value === null) {
    node.removeAttribute(name);
  } else if (node.getAttribute(name) !== value) {
    node.setAttribute(name, value);
  }
}

/** Set a style; what it is already costs no layout. */
export function setStyle(node: HTMLElement, name: string, value: string): void {
  if (node.style.getPropertyValue(name) !== value) {
    node.style.setProperty(name, value);
  }
}

export function show(node: HTMLElement, shown: boolean): void {
  if (node.hidden === shown) {
    node.hidden = !shown;
  }
}

/** Enable a button, or disable it and say why. A disabled one can still be reached, so that its reason can be read. */
export function allow(
  node: HTMLButtonElement,
  refusal: string | null,
  title: string
): void {
  setAttribute(node, 'aria-disabled', refusal === null ? null : 'true');
  setAttribute(node, 'title', refusal ?? title);
}

/**
 * Make `parent` hold one child an item, in order; children of known keys stay the same elements, and the one that has
 * the focus stays where it is while others go round it: an element that is moved loses the focus.
 */
export function patch<T, N extends HTMLElement>(
  parent: HTMLElement,
  items: T[],
  key: (item: T) => string,
  make: (item: T) => N,
  update: (node: N, item: T) => void
): void {
  const known = new Map<string, N>();
  for (const child of Array.from(parent.children) as N[]) {
    known.set(child.dataset.key ?? '', child);
  }
  const nodes = items.map(item => {
    const name = key(item);
    let node = known.get(name);
    if (node === undefined) {
      node = make(item);
      node.dataset.key = name;
    } else {
      known.delete(name);
    }
    update(node, item);
    return node;
  });
  for (const node of known.values()) {
    node.remove();
  }
  arrange(parent, nodes);
}

/** Whether the focus is on `node` or in it. */
export function hasFocus(node: HTMLElement): boolean {
  const { activeElement } = node.getRootNode() as Document; // a detached one has none
  return Boolean(activeElement) && node.contains(activeElement);
}

/** Put `nodes` in order; `parent` holds nothing else. */
function arrange(parent: HTMLElement, nodes: HTMLElement[]): void {
  const focused = hasFocus(parent) ? nodes.find(hasFocus) : undefined;
  let at = parent.firstElementChild;
  for (const node of nodes) {
    if (node === focused) {
      while (at !== null && at !== node) {
        const next: Element | null = at.nextElementSibling;
        parent.append(at); // its turn comes
        at = next;
      }
    }
    if (node === at) {
      at = at.nextElementSibling;
    } else {
      parent.insertBefore(node, at);
    }
  }
}
