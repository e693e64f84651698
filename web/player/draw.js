// The nodes that pictures are made of. Only what is listed here gets into the
// page: elements by our own names, attributes by our own values.

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
	const m = Math.min(w, h) / 3;
	const [x, y] = [w / 2, h / 2];
	return svg('g', { fill: 'none', stroke: '#9ea6b0', 'stroke-width': 1.5 },
		svg('rect', { width: w, height: h, fill: '#f1f2f3', 'fill-opacity': '0.6', 'stroke-dasharray': '6 4' }),
		svg('path', { d: `M${fix(x - m)} ${fix(y + m * 0.7)}l${fix(m * 0.7)} ${fix(-m)}l${fix(m * 0.5)} ${fix(m * 0.6)}l${fix(m * 0.3)} ${fix(-m * 0.35)}l${fix(m * 0.5)} ${fix(m * 0.75)}z` }),
		svg('circle', { cx: x + m * 0.5, cy: y - m * 0.5, r: m * 0.2 }),
	);
}
