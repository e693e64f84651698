// The nodes that pictures are made of: elements by our own names, attributes by
// our own values. Hatchings, fills of slanting lines, are kept here too.

import { fix } from './values.js';

const namespace = 'http://www.w3.org/2000/svg';

/**
 * Makes an element of SVG. Attributes without a value are left out.
 * @param {string} name
 * @param {Record<string, string|number|null|undefined>} [attributes]
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function svg(name, attributes = {}, ...children) {
	const element = /** @type {SVGElement} */ (document.createElementNS(namespace, name));
	set(element, attributes);
	element.append(...children);
	return element;
}

/**
 * Sets attributes where they differ.
 * @param {Element} element
 * @param {Record<string, string|number|null|undefined>} attributes
 */
export function set(element, attributes) {
	for (const [name, value] of Object.entries(attributes)) {
		const text = typeof value === 'number' ? String(fix(value)) : value;
		if (text === null || text === undefined) {
			element.removeAttribute(name);
		} else if (element.getAttribute(name) !== text) {
			element.setAttribute(name, text);
		}
	}
}

/**
 * A picture from a file of the recording, that is not seen if the file is not
 * there.
 * @param {Record<string, string|number|null|undefined>} attributes
 * @returns {SVGElement}
 */
export function picture(attributes) {
	const element = svg('image', attributes);
	element.addEventListener('error', () => element.setAttribute('visibility', 'hidden'));
	return element;
}

/**
 * A frame for a picture that is not in the recording.
 * @param {number} w
 * @param {number} h
 * @returns {SVGElement}
 */
export function emptyFrame(w, h) {
	return svg('g', { fill: 'none', stroke: '#9ea6b0', 'stroke-width': 1 },
		svg('rect', { width: w, height: h, fill: '#f1f2f3', 'fill-opacity': '0.6', 'stroke-dasharray': '6 4' }),
		svg('svg', { width: w, height: h, viewBox: '0 0 24 24' }, svg('path', { d: 'M5 16l4-6 3 4 3-3 4 5zM16 8h0.1' })));
}

/**
 * Makes the store of a stage's hatchings. Those of two stages on a page do not
 * get in each other's way.
 * @returns {{element: SVGElement, fill: (color: string) => string}} fill gives the value of the attribute
 */
export function createHatches() {
	const element = svg('defs');
	const prefix = `hatch-${Math.random().toString(36).slice(2)}`;
	/** @type {Map<string, string>} */
	const known = new Map();
	return {
		element,
		fill(color) {
			const id = known.get(color) ?? `${prefix}-${known.size}`;
			if (!known.has(color)) {
				known.set(color, id);
				element.append(svg('pattern', { id, width: 8, height: 8, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
					svg('rect', { width: 8, height: 8, fill: '#ffffff', 'fill-opacity': 0.6 }),
					svg('path', { d: 'M0 2H8M0 6H8', stroke: color, 'stroke-width': 1.5, 'stroke-opacity': 0.55 })));
			}
			return `url(#${id})`;
		},
	};
}
