// The drawings on the stage. Between two moments only those change that changed
// in between: they are found in the list of changes, painted anew, and put where
// they belong; all others stay the nodes they are.

import { indexAt } from './lookup.js';
import { svg } from './draw.js';

/** @typedef {import('./lookup.js').Version} Version */

/**
 * What a painter may ask for.
 * @typedef {object} Scene
 * @property {(key: string) => any} lookup data of another drawing that is shown; undefined if it is not
 * @property {(key: string) => any[]} members data of the drawings that lie in a group or frame
 * @property {(name: unknown) => string|null} resolve address of a file of the recording
 * @property {import('./text.js').Measure} measure
 * @property {(color: string) => string} hatch value of fill for a hatching
 */

/**
 * What a painter makes of a version.
 * @typedef {object} Painting
 * @property {SVGElement} node
 * @property {number|string} order place among its neighbours, from the back
 * @property {string} [parent] key of the group or frame it lies in
 * @property {SVGElement} [container] where what lies in it goes; empty
 * @property {string[]} [follows] keys of drawings that it depends on
 * @property {boolean} [unseen] whether it has nothing to see itself
 */

/** @typedef {(version: Version, scene: Scene) => Painting} Paint */

/** @typedef {Painting & {version: Version, sequence: number}} Item */

/** How deep drawings may lie in each other. */
const deepest = 16;

/** The most drawings that are on a slide at once. */
const mostShown = 10000;

/**
 * Makes the layer of the drawings.
 * @param {Paint} paint
 * @param {Omit<Scene, 'lookup'|'members'>} tools
 */
export function createBoard(paint, tools) {
	const element = svg('g');
	/** @type {import('./lookup.js').Change[]} */
	let changes = [];
	let position = 0;
	/** @type {Map<string, Item>} */
	const shown = new Map();
	const scene = {
		...tools,
		lookup: (key) => shown.get(key)?.version.data,
		members: (key) => [...shown.values()].map((item) => item.version.data).filter((data) => data.parentId === key),
	};

	/** Forgets what is shown, and goes on with another slide's changes. */
	function show(next) {
		changes = next;
		position = 0;
		shown.clear();
		element.replaceChildren();
	}

	/** Shows what there is to see at a time. */
	function update(t) {
		const target = indexAt(changes, t) + 1;
		if (target === position) {
			return;
		}
		/** @type {Map<string, Version|null>} */
		const pending = new Map();
		for (; position < target; position++) {
			pending.set(changes[position].key, changes[position].after);
		}
		for (; position > target; position--) {
			pending.set(changes[position - 1].key, changes[position - 1].before);
		}
		apply(pending);
	}

	function apply(pending) {
		let moved = false;
		const fresh = new Map();
		for (const [key, version] of pending) {
			const old = shown.get(key);
			if (version === null) {
				moved = shown.delete(key) || moved;
			} else if (old?.version !== version && (old || shown.size < mostShown)) {
				shown.set(key, { ...(old ?? blank(version)), version });
				fresh.set(key, old);
			}
		}
		for (const [key, item] of shown) {
			if (!fresh.has(key) && item.follows?.some((other) => pending.has(other))) {
				fresh.set(key, item);
			}
		}
		for (const [key, old] of fresh) {
			moved = renew(key, old) || moved;
		}
		if (moved) {
			arrange();
		}
	}

	/** Paints a drawing; true if it is not simply in the place of its old self. */
	function renew(key, old) {
		const { version } = /** @type {Item} */ (shown.get(key));
		const item = { ...attempt(version), version, sequence: version.sequence ?? 0 };
		item.node.setAttribute('data-shape', key);
		shown.set(key, item);
		const stays = old && old.order === item.order && old.parent === item.parent && !old.container && !item.container;
		if (stays && old.node.parentNode) {
			old.node.replaceWith(item.node);
			return false;
		}
		return true;
	}

	/** A drawing that cannot be painted is not seen; the others are. */
	function attempt(version) {
		try {
			return paint(version, scene);
		} catch {
			return blank(version);
		}
	}

	/** Puts all drawings in their order, each into what it lies in. */
	function arrange() {
		const places = new Map([[element, /** @type {Item[]} */ ([])]]);
		for (const { container } of shown.values()) {
			if (container) {
				places.set(container, []);
			}
		}
		for (const item of shown.values()) {
			places.get(homeOf(item, shown) ?? element)?.push(item);
		}
		for (const [into, items] of places) {
			items.sort(behind);
			place(into, items.map(({ node }) => node));
		}
	}

	return {
		element, show, update,
		/** How many drawings are to be seen. */
		count: () => [...shown.values()].filter((item) => !item.unseen).length,
	};
}

/**
 * What stands for a drawing that is not painted.
 * @param {Version} version
 * @returns {Item}
 */
function blank(version) {
	return { node: svg('g'), order: 0, unseen: true, version, sequence: version.sequence ?? 0 };
}

/**
 * The container that a drawing lies in; undefined if it lies in none that is
 * shown, or within itself.
 * @param {Item} item
 * @param {Map<string, Item>} shown
 */
function homeOf(item, shown) {
	const home = item.parent === undefined ? undefined : shown.get(item.parent);
	let above = home;
	for (let depth = 0; above; depth++) {
		if (above === item || depth > deepest) {
			return undefined;
		}
		above = above.parent === undefined ? undefined : shown.get(above.parent);
	}
	return home?.container;
}

/**
 * @param {Item} a
 * @param {Item} b
 */
function behind(a, b) {
	if (a.order === b.order) {
		return a.sequence - b.sequence;
	}
	return a.order < b.order ? -1 : 1;
}

/**
 * Lets an element have these children in this order, moving as few as it can.
 * @param {Element} into
 * @param {Element[]} nodes
 */
function place(into, nodes) {
	let next = into.firstChild;
	for (const node of nodes) {
		if (node === next) {
			next = next.nextSibling;
		} else {
			into.insertBefore(node, next);
		}
	}
	while (next) {
		const gone = next;
		next = next.nextSibling;
		gone.remove();
	}
}
