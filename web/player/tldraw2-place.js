// Where the drawings of tldraw 2 lie: each in coordinates of its own, within those
// of the group or frame around it, within those of the page.

import { boxAround, inward, outward, pointsOf } from './geometry.js';
import { lookOf } from './tldraw2-look.js';
import { list, number, object, string } from './values.js';
import { outlineOf } from './tldraw2-geo.js';

/** @typedef {import('./geometry.js').Point} Point */
/** @typedef {import('./board.js').Scene} Scene */

/** How deep drawings may lie in each other. */
const deepest = 16;

/**
 * @param {Record<string, any>} data
 * @returns {{x: number, y: number, turn: number}}
 */
export function placeOf(data) {
	return { x: number(data.x, 0), y: number(data.y, 0), turn: number(data.rotation, 0) };
}

/**
 * A drawing and what it lies in, from the inside out.
 * @param {Record<string, any>} data
 * @param {Scene} scene
 * @returns {Record<string, any>[]}
 */
function nest(data, scene) {
	const nested = [data];
	for (let outer = scene.lookup(data.parentId); outer && nested.length < deepest; outer = scene.lookup(outer.parentId)) {
		nested.push(outer);
	}
	return nested;
}

/**
 * The keys of a drawing and of all that it lies in.
 * @param {Record<string, any>} data
 * @param {Scene} scene
 * @returns {string[]}
 */
export function nestKeys(data, scene) {
	return nest(data, scene).map(({ id }) => String(id));
}

/**
 * Turns points of one drawing's coordinates into another's.
 * @param {Point[]} points
 * @param {Record<string, any>} from
 * @param {Record<string, any>} to
 * @param {Scene} scene
 * @returns {Point[]}
 */
export function carry(points, from, to, scene) {
	const out = nest(from, scene).map(placeOf);
	const back = nest(to, scene).map(placeOf).reverse();
	return points.map((point) => back.reduce((p, place) => inward(p, place), out.reduce((p, place) => outward(p, place), point)));
}

/**
 * The size of a drawing that has one among its properties.
 * @param {Record<string, any>} props
 * @param {number} [fallback]
 * @returns {{w: number, h: number}}
 */
export function sizeOf(props, fallback = 100) {
	return { w: number(props.w, fallback, 0), h: number(props.h, fallback, 0) + number(props.growY, 0, 0) };
}

/**
 * The box of a drawing in its own coordinates, and the outline at which arrows
 * to it end.
 * @param {Record<string, any>} data
 * @param {Scene} scene
 * @param {number} [depth]
 * @returns {{box: {x: number, y: number, w: number, h: number}, outline: Point[]}}
 */
export function shapeOf(data, scene, depth = 0) {
	const props = object(data.props);
	if (data.type === 'geo') {
		const { w, h } = sizeOf(props);
		return { box: { x: 0, y: 0, w, h }, outline: outlineOf(props.geo, w, h).corners };
	}
	const box = boxOf(data, props, scene, depth);
	const outline = outlineOf('rectangle', box.w, box.h).corners.map(({ x, y }) => ({ x: x + box.x, y: y + box.y }));
	return { box, outline };
}

function boxOf(data, props, scene, depth) {
	const { scale, letters, family } = lookOf(props, scene);
	switch (data.type) {
		case 'note':
			return { x: 0, y: 0, w: 200 * scale, h: (200 + number(props.growY, 0, 0)) * scale };
		case 'text': {
			const lines = string(props.text).split('\n').slice(0, 300);
			const widest = Math.max(...lines.map((line) => scene.measure(line, letters, family)));
			return { x: 0, y: 0, w: number(props.w, widest / scale, 0) * scale, h: lines.length * letters * 1.35 };
		}
		case 'draw':
		case 'highlight':
			return boxAround(list(props.segments, 1000).flatMap((segment) => pointsOf(object(segment).points)));
		case 'line':
			return boxAround(linePoints(props));
		case 'group':
			return boxAround(depth > 3 ? [] : scene.members(data.id).slice(0, 200).flatMap((member) => {
				const place = placeOf(member);
				return shapeOf(member, scene, depth + 1).outline.map((point) => outward(point, place));
			}));
		default:
			return { x: 0, y: 0, ...sizeOf(props) };
	}
}

/**
 * The points of a line in their order, from the handles it is pulled by.
 * @param {Record<string, any>} props
 * @returns {Point[]}
 */
export function linePoints(props) {
	const handles = Object.entries(object(props.handles)).slice(0, 1000).map(([name, handle]) => ({
		...object(handle), order: name === 'start' ? '' : name === 'end' ? '~' : String(object(handle).index ?? name),
	}));
	handles.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
	return pointsOf(handles);
}
