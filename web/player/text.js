// Text in pictures: measured, broken into lines, and set line by line, so that it
// looks the same at every size of the stage.

import { svg } from './draw.js';
import { fix } from './values.js';

/** The most lines of one text. */
const mostLines = 300;

const rightToLeft = /^[^A-Za-z\u00c0-\u058f\u0900-\ufaff]*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/**
 * Gives the width of a text in a font, in the units of its size.
 * @typedef {(text: string, size: number, family: string) => number} Measure
 */

/**
 * Makes a measure that lasts as long as its stage.
 * @returns {Measure}
 */
export function createMeasure() {
	const context = document.createElement('canvas').getContext('2d');
	let font = '';
	return (text, size, family) => {
		const wanted = `100px ${family}`;
		if (context && font !== wanted) {
			context.font = font = wanted;
		}
		return ((context?.measureText(text).width ?? text.length * 55) * size) / 100;
	};
}

/**
 * Breaks a text into lines no wider than a width, words apart where they are
 * wider.
 * @param {string} text
 * @param {number} width Infinity to break at line ends only
 * @param {(text: string) => number} measure
 * @returns {string[]}
 */
export function wrap(text, width, measure) {
	/** @type {string[]} */
	const lines = [];
	for (const paragraph of text.split(/\r\n?|\n/).slice(0, mostLines)) {
		let line = '';
		for (const word of width === Infinity ? [paragraph] : paragraph.split(/(?<=\s)/)) {
			if (line !== '' && measure((line + word).trimEnd()) > width) {
				lines.push(line.trimEnd());
				line = '';
			}
			line += word;
			while (width !== Infinity && lines.length < mostLines && line.length > 1 && measure(line.trimEnd()) > width) {
				const fits = fitting(line, width, measure);
				lines.push(line.slice(0, fits));
				line = line.slice(fits);
			}
		}
		lines.push(line.trimEnd());
	}
	return lines.slice(0, mostLines);
}

/**
 * How many characters of a word fit, at least one, never half of one.
 * @param {string} word
 * @param {number} width
 * @param {(text: string) => number} measure
 * @returns {number}
 */
function fitting(word, width, measure) {
	let [low, high] = [1, word.length];
	while (low < high) {
		const middle = (low + high + 1) >> 1;
		[low, high] = measure(word.slice(0, middle)) <= width ? [middle, high] : [low, middle - 1];
	}
	const split = /[\ud800-\udbff]/.test(word[low - 1]) && low < word.length;
	return !split ? low : low > 1 ? low - 1 : 2;
}

/**
 * A text to be set.
 * @typedef {object} Block
 * @property {string} text
 * @property {number} x left of the box
 * @property {number} y top of the box
 * @property {number} w width of the box
 * @property {number} [h] height of the box; without, the text begins at its top
 * @property {boolean} [wraps] whether lines are broken at the width
 * @property {boolean} [shrinks] whether letters get smaller, within reason, for it to fit
 * @property {string} [align] start, middle, end
 * @property {string} [vertical] start, middle, end
 * @property {number} size of the letters
 * @property {string} family
 * @property {string} color
 * @property {number} [leading] height of a line, in sizes
 * @property {string|null} [halo] colour around the letters
 */

/**
 * Sets a text. What does not fit into its box stands out of it evenly, as it
 * did on the whiteboard.
 * @param {Block} block
 * @param {Measure} measure
 * @returns {SVGElement}
 */
export function setText(block, measure) {
	const { x, y, w, h = 0, align = 'start', vertical = 'start', family, color, leading = 1.35, halo = null } = block;
	const { lines, size } = broken(block, leading, measure);
	const spare = h - lines.length * size * leading;
	const top = y + (vertical === 'middle' ? spare / 2 : vertical === 'end' ? spare : 0);
	const text = svg('g', {
		'font-family': family, 'font-size': size, fill: color, stroke: halo, 'stroke-width': halo ? size / 4 : null,
		'stroke-linejoin': halo ? 'round' : null, 'paint-order': halo ? 'stroke' : null,
	});
	lines.forEach((line, i) => {
		if (line !== '') {
			text.append(setLine(line, { x, w, align, y: top + size * (leading * (i + 0.5) + 0.32) }));
		}
	});
	return text;
}

/**
 * The lines of a text, and the size at which they are set: fonts differ from
 * those that the box was made for.
 * @param {Block} block
 * @param {number} leading
 * @param {Measure} measure
 */
function broken(block, leading, measure) {
	for (let size = block.size; ; size *= 0.9) {
		const width = block.wraps ? Math.max(block.w, size) : Infinity;
		const lines = wrap(block.text, width, (part) => measure(part, size, block.family));
		if (!block.shrinks || lines.length * size * leading <= (block.h ?? 0) || size < block.size * 0.6) {
			return { lines, size };
		}
	}
}

/**
 * @param {string} line
 * @param {{x: number, w: number, align: string, y: number}} place
 * @returns {SVGElement}
 */
function setLine(line, { x, w, align, y }) {
	const turned = rightToLeft.test(line);
	const side = turned && align === 'start' ? 'end' : align;
	const anchor = side === 'middle' ? 'middle' : (side === 'end') !== turned ? 'end' : 'start';
	const made = svg('text', {
		x: fix(x + (side === 'middle' ? w / 2 : side === 'end' ? w : 0)), y, 'text-anchor': anchor, direction: turned ? 'rtl' : null,
	});
	made.style.whiteSpace = 'pre';
	made.textContent = line;
	return made;
}

/**
 * What the picture is called that an empty frame stands for, along its lower
 * edge.
 * @param {string} text
 * @param {number} w
 * @param {number} h
 * @param {Measure} measure
 * @returns {SVGElement}
 */
export function frameName(text, w, h, measure) {
	const size = Math.max(4, Math.min(16, h / 6));
	const [line = ''] = wrap(text, w * 0.9, (part) => measure(part, size, 'sans-serif'));
	return setText({ text: line, x: 0, y: h - size * 1.6, w, align: 'middle', size, family: 'sans-serif', color: '#6b7280' }, measure);
}
