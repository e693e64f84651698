// Painting the drawings of shapes.svg, BBB up to 2.5. The file's own elements
// never get into the page: each is read, and one like it is made of what passes.

import { number, own, string } from './values.js';
import { picture, svg } from './draw.js';
import { hrefOf } from './xml.js';
import { setText } from './text.js';

/** What a version may have of elements, and an element of path. */
const mostElements = 200;
const mostPath = 2000000;

const plainNumber = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,3})?(px)?$/i;
const plainColor = /^(#[0-9a-f]{3,8}|[a-z]{3,20}|rgba?\([\d\s.,%]{1,60}\))$/i;

/** Properties that a style may set, and what their values look like. */
const properties = {
	stroke: plainColor, fill: plainColor, 'stroke-width': plainNumber, opacity: plainNumber,
	'stroke-opacity': plainNumber, 'fill-opacity': plainNumber, 'stroke-linecap': /^(round|butt|square)$/,
	'stroke-linejoin': /^(round|miter|bevel)$/, 'stroke-dasharray': /^(none|[\d\s.,]{1,60})$/,
};

const coordinates = /^[-+\d\s.,e]{1,2000000}$/i;

/** Attributes that say where an element lies, and what their values look like. */
const geometry = {
	d: /^[-+\d\s.,eMLHVCSQTAZmlhvcsqtaz]{1,2000000}$/, points: coordinates, transform: /^[a-zA-Z(),\s\d.+-]{1,300}$/,
	x: plainNumber, y: plainNumber, width: plainNumber, height: plainNumber, cx: plainNumber, cy: plainNumber,
	r: plainNumber, rx: plainNumber, ry: plainNumber, x1: plainNumber, y1: plainNumber, x2: plainNumber, y2: plainNumber,
};

const copied = new Set(['path', 'circle', 'ellipse', 'line', 'rect', 'polyline', 'polygon']);

/**
 * Paints one version of a drawing.
 * @param {import('./lookup.js').Version} version
 * @param {import('./board.js').Scene} scene
 * @returns {import('./board.js').Painting}
 */
export function paint(version, scene) {
	const node = svg('g', styleOf(version.data.shape));
	copyChildren(version.data.shape, node, scene, { elements: mostElements }, 0);
	return { node, order: version.data.order };
}

/**
 * @param {Element} from
 * @param {SVGElement} to
 * @param {import('./board.js').Scene} scene
 * @param {{elements: number}} left
 * @param {number} depth
 */
function copyChildren(from, to, scene, left, depth) {
	for (const child of from.children) {
		if (left.elements-- <= 0 || depth > 8) {
			return;
		}
		const made = copy(child, scene);
		if (made) {
			to.append(made);
		}
		if (['g', 'switch', 'a'].includes(child.localName)) {
			const group = svg('g', { ...styleOf(child), ...placeOf(child) });
			copyChildren(child, group, scene, left, depth + 1);
			to.append(group);
		}
	}
}

/**
 * @param {Element} element
 * @param {import('./board.js').Scene} scene
 * @returns {SVGElement|null}
 */
function copy(element, scene) {
	const name = element.localName;
	if (name === 'image') {
		const href = scene.resolve(hrefOf(element));
		return href === null ? null : picture({ ...placeOf(element), href });
	}
	if (name === 'foreignObject') {
		return copyText(element, scene);
	}
	return copied.has(name) ? svg(name, { ...styleOf(element), ...placeOf(element) }) : null;
}

/**
 * What is typed on the slide: lines that break where the typist did, and at the
 * width of the box.
 * @param {Element} element
 * @param {import('./board.js').Scene} scene
 */
function copyText(element, scene) {
	const style = declarations([element, ...element.children, element.parentElement?.closest('g')]);
	const at = (name) => number(element.getAttribute(name)?.replace(/px$/, ''), 0);
	const color = style.get('color') ?? '';
	return setText({
		text: string(linesOf(element).replace(/ *\n */g, '\n').replace(/^ +|\s+$/g, '')), x: at('x'), y: at('y'), w: at('width'), wraps: true,
		align: own({ center: 'middle', right: 'end' }, style.get('text-align'), 'start'),
		size: number((style.get('font-size') ?? '').replace(/px$/, ''), 16, 1, 1000) || 16,
		family: 'Arial, Helvetica, sans-serif', color: plainColor.test(color) ? color : '#000000', leading: 1.2,
	}, scene.measure);
}

/**
 * @param {Node} node
 * @returns {string}
 */
function linesOf(node, depth = 0) {
	let text = '';
	for (const child of depth > 20 ? [] : node.childNodes) {
		if (child.nodeType === Node.TEXT_NODE || child.nodeType === Node.CDATA_SECTION_NODE) {
			text += (child.nodeValue ?? '').replace(/[ \t\r\n]+/g, ' ');
		} else if (child instanceof Element && !/^x-/.test(child.localName)) {
			text += child.localName === 'br' ? '\n' : linesOf(child, depth + 1) + (child.localName === 'p' ? '\n' : '');
		}
	}
	return text;
}

/**
 * The declarations in the styles of elements, which xml.js renames; of the first that has one.
 * @param {(Element|null|undefined)[]} elements
 * @returns {Map<string, string>}
 */
function declarations(elements) {
	/** @type {Map<string, string>} */
	const found = new Map();
	for (const element of elements) {
		for (const part of string(element?.getAttribute('data-style'), 2000).split(';')) {
			const colon = part.indexOf(':');
			const name = part.slice(0, colon).trim().toLowerCase();
			if (colon > 0 && !found.has(name)) {
				found.set(name, part.slice(colon + 1).trim());
			}
		}
	}
	return found;
}

/**
 * How an element looks, by its style and its attributes.
 * @param {Element} element
 * @returns {Record<string, string>}
 */
function styleOf(element) {
	const style = declarations([element]);
	/** @type {Record<string, string>} */
	const look = {};
	for (const [name, wanted] of Object.entries(properties)) {
		const value = style.get(name) ?? element.getAttribute(name);
		if (value !== null && value !== undefined && wanted.test(value.trim())) {
			look[name] = value.trim();
		}
	}
	return look;
}

/**
 * Where an element lies.
 * @param {Element} element
 * @returns {Record<string, string>}
 */
function placeOf(element) {
	/** @type {Record<string, string>} */
	const place = {};
	for (const [name, wanted] of Object.entries(geometry)) {
		const value = element.getAttribute(name);
		if (value !== null && value.length <= mostPath && wanted.test(value)) {
			place[name] = value;
		}
	}
	return place;
}
