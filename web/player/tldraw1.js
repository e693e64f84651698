// Painting the drawings of the whiteboard of BBB 2.6 and 2.7 (tldraw 1).

import { boxAround, distance, pointOf, pointsOf, wayOver } from './geometry.js';
import { boxPath, chevronPath, cornerPath, ellipsePath, stroke, strokePath, wayPath } from './ink.js';
import { emptyFrame, svg } from './draw.js';
import { frameName, setText } from './text.js';
import { fix, list, number, object, own, string } from './values.js';

const strokes = {
	white: '#1d1d1d', lightGray: '#c6cbd1', gray: '#788492', black: '#1d1d1d', green: '#36b24d', cyan: '#0e98ad',
	blue: '#1c7ed6', indigo: '#4263eb', violet: '#7746f1', red: '#ff2133', orange: '#ff9433', yellow: '#ffc936',
};

const fills = {
	white: '#fefefe', lightGray: '#f1f2f3', gray: '#e3e5e7', black: '#d2d2d2', green: '#d7eddb', cyan: '#d0e8ec',
	blue: '#d2e4f4', indigo: '#d9dff7', violet: '#e2daf8', red: '#fbd3d6', orange: '#fbe8d6', yellow: '#fbf1d7',
};

const notes = {
	white: '#fddf8e', black: '#fddf8e', yellow: '#fddf8e', lightGray: '#dde0e3', gray: '#b3b9c1', green: '#8ed29b',
	cyan: '#78c4d0', blue: '#80b6e6', indigo: '#95a7f2', violet: '#b297f5', red: '#fd838d', orange: '#fdc28d',
};

const families = {
	script: "'Caveat Brush', 'Comic Neue', 'Comic Sans MS', 'Chalkboard SE', cursive", mono: "'Source Code Pro', ui-monospace, monospace",
	sans: "'Source Sans Pro', Arial, Helvetica, sans-serif", serif: "'Crimson Pro', Georgia, serif", erif: "'Crimson Pro', Georgia, serif",
};

/** By size small, medium, large. */
const sizes = { small: 0, medium: 1, large: 2 };
const letters = [28, 48, 96];
const noteLetters = [24, 36, 48];
/** @type {Record<string, (string|null)[]>} */
const dashes = { dashed: ['8 8', '14 14', '20 20'], dotted: ['0.1 8', '0.1 14', '0.1 20'] };

const painters = { draw, rectangle, ellipse, triangle, arrow, line: arrow, text, sticky, group, image, video: image };

/** The types that are known. */
export const types = new Set(Object.keys(painters));

/**
 * Paints one version of a drawing.
 * @param {import('./lookup.js').Version} version
 * @param {import('./board.js').Scene} scene
 * @returns {import('./board.js').Painting}
 */
export function paint(version, scene) {
	const { data } = version;
	const painter = own(painters, data.type, null);
	const node = svg('g');
	const painting = { node, order: number(data.childIndex, 0), parent: string(data.parentId, 200) };
	if (painter === null) {
		return { ...painting, unseen: true };
	}
	if (painter === group) {
		return { ...painting, container: node, unseen: true };
	}
	const { parts, box } = painter(data, lookOf(data), scene);
	const at = pointOf(data.point) ?? { x: 0, y: 0 };
	const turn = (number(data.rotation, 0) * 180) / Math.PI;
	const place = `translate(${fix(at.x)} ${fix(at.y)})`;
	node.setAttribute('transform', turn === 0 ? place : `${place} rotate(${fix(turn)} ${fix(box.x + box.w / 2)} ${fix(box.y + box.h / 2)})`);
	node.append(...parts);
	return painting;
}

/**
 * How a drawing looks by its style.
 * @typedef {ReturnType<typeof lookOf>} Look
 */

/** @param {Record<string, any>} data */
function lookOf(data) {
	const style = object(data.style);
	const size = own(sizes, style.size, 0);
	const byHand = style.dash === 'draw' || style.dash === undefined;
	const scale = number(style.scale, 1, 0.01, 100);
	return {
		byHand, size, scale, color: own(strokes, style.color, strokes.black), width: byHand ? [2, 3.5, 5][size] : [4, 6.25, 8.5][size],
		dashes: own(dashes, style.dash, [null, null, null])[size], note: own(notes, style.color, notes.black),
		fill: style.isFilled === true ? own(fills, style.color, fills.black) : 'none',
		family: own(families, style.font, families.script),
		align: own({ start: 'start', middle: 'middle', end: 'end', justify: 'start' }, style.textAlign, 'middle'),
	};
}

/** Drawn by hand. */
function draw(data, look) {
	const points = pointsOf(data.points);
	const closed = endsMeet(points, look.width);
	const fill = closed ? look.fill : 'none';
	const width = look.byHand ? 1 + 1.3 * look.width : look.width;
	const path = strokePath(points, closed && fill !== 'none');
	return { parts: path ? [stroke(path, { color: look.color, width, dashes: look.dashes, fill })] : [], box: boxAround(points) };
}

/** @param {Record<string, any>} data */
function sizeOf(data) {
	const [w, h] = list(data.size, 2);
	return { x: 0, y: 0, w: number(w, 1, 0), h: number(h, 1, 0) };
}

function rectangle(data, look, scene) {
	const box = sizeOf(data);
	const path = boxPath(box.w, box.h, look.byHand ? Math.min(box.w / 4, 2 * look.width) : 0);
	return { parts: [stroke(path, look), ...labelOf(data, look, box, scene)], box };
}

function ellipse(data, look, scene) {
	const [rx, ry] = [0, 1].map((i) => number(list(data.radius, 2)[i], 1, 0));
	const box = { x: 0, y: 0, w: 2 * rx, h: 2 * ry };
	return { parts: [stroke(ellipsePath(rx, box.h / 2, rx, box.h / 2), look), ...labelOf(data, look, box, scene)], box };
}

function triangle(data, look, scene) {
	const box = sizeOf(data);
	const corners = [{ x: box.w / 2, y: 0 }, { x: box.w, y: box.h }, { x: 0, y: box.h }];
	return { parts: [stroke(cornerPath(corners, true), look), ...labelOf(data, look, { ...box, y: box.h / 6 }, scene)], box };
}

/** An arrow, or a line, as it has heads or not. */
function arrow(data, look, scene) {
	const handles = object(data.handles);
	const handle = (name) => pointOf(object(handles[name]).point);
	const [start, end] = [handle('start') ?? { x: 0, y: 0 }, handle('end') ?? { x: 1, y: 1 }];
	const bend = Math.abs(number(data.bend, 1)) < 0.001 ? null : handle('bend');
	const middle = bend ?? { x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 };
	const way = wayOver(start, middle, end);
	const heads = object(data.decorations);
	const head = Math.min(distance(start, end) / 3, 8 * look.width);
	const parts = [stroke(wayPath(way), { ...look, fill: 'none' })];
	if (heads.start === 'arrow') {
		parts.push(stroke(chevronPath(start, way.heading(0) + Math.PI, head), { color: look.color, width: look.width }));
	}
	if (heads.end === 'arrow') {
		parts.push(stroke(chevronPath(end, way.heading(1), head), { color: look.color, width: look.width }));
	}
	const centre = way.at(0.5);
	const label = labelOf(data, { ...look, align: 'middle', halo: '#ffffff' }, { ...centre, w: 0, h: 0 }, scene);
	return { parts: [...parts, ...label], box: boxAround([start, middle, end]) };
}

/** What is written on a shape. A poll's result is made to fit into its box. */
function labelOf(data, look, box, scene) {
	const label = string(data.label);
	if (label.trim() === '') {
		return [];
	}
	const result = [data.name, data.id].some((name) => string(name, 200).startsWith('poll-result'));
	const most = letters[look.size] * look.scale;
	const size = result ? Math.min(most, fittingSize(label, box.w * 0.94, box.h * 0.94, look.family, scene.measure)) : most;
	const [dx, dy] = [0, 1].map((i) => number(list(data.labelPoint, 2)[i], 0.5) - 0.5);
	return [setText({
		text: label, x: box.x + box.w * (0.03 + dx), y: box.y + box.h * dy, w: box.w * 0.94, h: box.h,
		wraps: !result && box.w > 0, shrinks: !result && box.h > 0, align: look.align, vertical: 'middle', size, family: look.family,
		color: look.color, halo: look.halo ?? null, leading: 1.25,
	}, scene.measure)];
}

function text(data, look, scene) {
	const size = letters[look.size] * look.scale;
	const words = string(data.text);
	const lines = words.split(/\r\n?|\n/);
	const w = Math.max(1, ...lines.slice(0, 300).map((line) => scene.measure(line, size, look.family)));
	const block = { text: words, x: 0, y: 0, w, align: look.align, size, family: look.family, color: look.color, leading: 1.2 };
	return { parts: [setText(block, scene.measure)], box: { x: 0, y: 0, w, h: lines.length * size * 1.2 } };
}

function sticky(data, look, scene) {
	const box = sizeOf(data);
	const inset = 16;
	const letter = setText({
		text: string(data.text), x: inset, y: inset, w: Math.max(1, box.w - 2 * inset), h: box.h - 2 * inset, wraps: true, shrinks: true, align: look.align,
		size: noteLetters[look.size] * look.scale, family: look.family, color: '#0d0d0d', leading: 1.3,
	}, scene.measure);
	return { parts: [svg('rect', { width: box.w, height: box.h, rx: 3, fill: look.note }), letter], box };
}

/** A picture whose bytes are not in the recording. */
function image(data, look, scene) {
	const box = sizeOf(data);
	return { parts: [emptyFrame(box.w, box.h), frameName(string(data.name, 200), box.w, box.h, scene.measure)], box };
}

/** Shows nothing itself: what lies in it is drawn in its place. */
function group() {
	return { parts: [], box: { x: 0, y: 0, w: 0, h: 0 } };
}

/**
 * Whether a stroke ends about where it began.
 * @param {import('./geometry.js').Point[]} points
 * @param {number} width of the stroke
 * @returns {boolean}
 */
function endsMeet(points, width) {
	return points.length > 3 && distance(points[0], points[points.length - 1]) <= 2 * width;
}

/**
 * The largest size at which a text fits into a box without being broken.
 * @param {string} text
 * @param {number} w
 * @param {number} h
 * @param {string} family
 * @param {import('./text.js').Measure} measure
 * @returns {number}
 */
export function fittingSize(text, w, h, family, measure) {
	const lines = text.split(/\r\n?|\n/).slice(0, 300);
	const widest = Math.max(...lines.map((line) => measure(line, 1, family)), 0.01);
	return Math.max(1, Math.min(w / widest, h / (lines.length * 1.35)));
}
