// The colours, widths, dashes, letters and fills of the whiteboard of BBB 3
// (tldraw 2), and what a drawing's properties choose of them.

import { number, own } from './values.js';

const strokes = {
	black: '#161616', grey: '#9ea6b0', 'light-violet': '#dd80f5', violet: '#9c1fbe', blue: '#3348e5', 'light-blue': '#4099f5',
	yellow: '#fdb365', orange: '#f3500b', green: '#148355', 'light-green': '#38b845', 'light-red': '#fc7075', red: '#d61a25',
	white: '#ffffff',
};

const fills = {
	black: '#e2e2e2', grey: '#e7eaec', 'light-violet': '#f2e5f9', violet: '#e7d3ef', blue: '#d4d8f6', 'light-blue': '#d6e8f9',
	yellow: '#f8ece0', orange: '#f5dbca', green: '#cae5dc', 'light-green': '#d4eed9', 'light-red': '#f0d1d3', red: '#f0d1d3',
	white: '#ffffff',
};

const notes = {
	black: '#fec78c', yellow: '#fec78c', grey: '#b6bdc3', 'light-violet': '#e4a1f7', violet: '#b65acf', blue: '#6476ec',
	'light-blue': '#6fb3f6', orange: '#f57d48', green: '#47a37f', 'light-green': '#64c46f', 'light-red': '#fc9598', red: '#e05458',
};

const highlights = {
	black: '#fddd00', yellow: '#fddd00', blue: '#10acff', green: '#00ffc8', grey: '#cbe7f1', 'light-blue': '#00f4ff',
	'light-green': '#65f641', 'light-red': '#ff7fa3', 'light-violet': '#ff88ff', orange: '#ffa500', red: '#ff636e', violet: '#c77cff',
};

const families = {
	draw: "'Shantell Sans', 'Comic Neue', 'Comic Sans MS', 'Chalkboard SE', cursive", sans: "'IBM Plex Sans', Arial, Helvetica, sans-serif",
	serif: "'IBM Plex Serif', Georgia, serif", mono: "'IBM Plex Mono', ui-monospace, monospace",
};

/** By size s, m, l, xl. */
const sizes = { s: 0, m: 1, l: 2, xl: 3 };
const widths = [2, 3.5, 5, 7.5];
const letters = [18, 24, 36, 44];
const labels = [18, 22, 26, 32];
/** @type {Record<string, (string|null)[]>} */
const dashes = {
	dashed: ['4.37 4.91', '8.16 10.21', '11.85 14.81', '21.41 32.12'], dotted: ['0.02 4', '0.03 8', '0.05 12', '0.12 16'],
};

const sides = { start: 'start', middle: 'middle', end: 'end', 'start-legacy': 'start', 'middle-legacy': 'middle', 'end-legacy': 'end' };

/**
 * How a drawing looks by its properties.
 * @typedef {ReturnType<typeof lookOf>} Look
 */

/**
 * @param {Record<string, any>} props
 * @param {import('./board.js').Scene} scene
 */
export function lookOf(props, scene) {
	const size = own(sizes, props.size, 1);
	const scale = number(props.scale, 1, 0.01, 100);
	const color = own(strokes, props.color, strokes.black);
	return {
		color, scale, width: widths[size] * scale, byHand: props.dash === 'draw' || props.dash === undefined,
		dashes: own(dashes, props.dash, [null, null, null, null])[size], fill: fillOf(props, color, scene),
		note: own(notes, props.color, notes.black), highlight: own(highlights, props.color, highlights.black),
		letters: letters[size] * scale, labels: labels[size] * scale,
		labelColor: own(strokes, props.labelColor, strokes.black), family: own(families, props.font, families.draw),
		align: own(sides, props.align, 'middle'), vertical: own(sides, props.verticalAlign, 'middle'),
	};
}

/**
 * @param {Record<string, any>} props
 * @param {string} color
 * @param {import('./board.js').Scene} scene
 * @returns {string}
 */
function fillOf(props, color, scene) {
	switch (props.fill) {
		case 'solid':
			return own(fills, props.color, fills.black);
		case 'semi':
			return '#f5f9f7';
		case 'pattern':
			return scene.hatch(color);
		default:
			return 'none';
	}
}
