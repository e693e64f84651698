// Plane geometry: points, turned and nested coordinates, arcs through points,
// and where a line meets an outline. Nothing here knows of recordings or pages.

import { number, list, object } from './values.js';

/** @typedef {{x: number, y: number}} Point */

/** The most points of one line; of longer ones every nth is taken. */
const mostPoints = 10000;

/**
 * The points of a list, of [x, y] or {x, y}; those that are none are left out.
 * @param {unknown} value
 * @returns {Point[]}
 */
export function pointsOf(value) {
	const all = list(value, 1e7);
	const step = Math.max(1, Math.ceil(all.length / mostPoints));
	/** @type {Point[]} */
	const points = [];
	for (let i = 0; i < all.length; i += step) {
		const p = pointOf(all[i]);
		if (p) {
			points.push(p);
		}
	}
	return points;
}

/**
 * A point from [x, y] or {x, y}; null if it is none.
 * @param {unknown} value
 * @returns {Point|null}
 */
export function pointOf(value) {
	const [x, y] = Array.isArray(value) ? value : [object(value).x, object(value).y];
	const point = { x: number(x, NaN), y: number(y, NaN) };
	return Number.isNaN(point.x) || Number.isNaN(point.y) ? null : point;
}

/**
 * @param {Point} a
 * @param {Point} b
 * @returns {number}
 */
export function distance(a, b) {
	return Math.hypot(a.x - b.x, a.y - b.y);
}

/**
 * The box around points.
 * @param {Point[]} points
 * @returns {{x: number, y: number, w: number, h: number}}
 */
export function boxAround(points) {
	let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
	for (const { x, y } of points) {
		left = Math.min(left, x);
		top = Math.min(top, y);
		right = Math.max(right, x);
		bottom = Math.max(bottom, y);
	}
	return left > right ? { x: 0, y: 0, w: 0, h: 0 } : { x: left, y: top, w: right - left, h: bottom - top };
}

/**
 * Where a point of turned and moved coordinates lies outside of them.
 * @param {Point} p
 * @param {{x: number, y: number, turn: number}} place turn in radians
 * @returns {Point}
 */
export function outward(p, { x, y, turn }) {
	const [c, s] = [Math.cos(turn), Math.sin(turn)];
	return { x: x + p.x * c - p.y * s, y: y + p.x * s + p.y * c };
}

/**
 * The way back of outward.
 * @param {Point} p
 * @param {{x: number, y: number, turn: number}} place
 * @returns {Point}
 */
export function inward(p, { x, y, turn }) {
	const [c, s] = [Math.cos(turn), Math.sin(turn)];
	return { x: (p.x - x) * c + (p.y - y) * s, y: -(p.x - x) * s + (p.y - y) * c };
}

/**
 * A way from one point to another, straight or along an arc: where one is, and
 * which way one looks, after a part of it.
 * @typedef {object} Way
 * @property {(part: number) => Point} at part from 0 to 1
 * @property {(part: number) => number} heading in radians
 * @property {number} length
 * @property {{radius: number, sweep: number}|null} arc null if straight; sweep in radians with its direction
 */

/**
 * The way from start over middle to end.
 * @param {Point} start
 * @param {Point} middle
 * @param {Point} end
 * @returns {Way}
 */
export function wayOver(start, middle, end) {
	const centre = centreOf(start, middle, end);
	const radius = centre ? distance(centre, start) : 0;
	if (!centre || radius > 1e5) {
		return straight(start, end);
	}
	const angle = (p) => Math.atan2(p.y - centre.y, p.x - centre.x);
	const from = angle(start);
	const whole = 2 * Math.PI;
	const ahead = (to) => (((angle(to) - from) % whole) + whole) % whole;
	const sweep = ahead(middle) <= ahead(end) ? ahead(end) : ahead(end) - whole;
	const at = (part) => ({ x: centre.x + radius * Math.cos(from + sweep * part), y: centre.y + radius * Math.sin(from + sweep * part) });
	return {
		at, heading: (part) => from + sweep * part + (Math.sign(sweep) * Math.PI) / 2,
		length: Math.abs(sweep) * radius, arc: { radius, sweep },
	};
}

/**
 * @param {Point} start
 * @param {Point} end
 * @returns {Way}
 */
function straight(start, end) {
	const heading = Math.atan2(end.y - start.y, end.x - start.x);
	return {
		at: (part) => ({ x: start.x + (end.x - start.x) * part, y: start.y + (end.y - start.y) * part }),
		heading: () => heading, length: distance(start, end), arc: null,
	};
}

/**
 * The centre of the circle through three points; null if they lie in a line.
 * @param {Point} a
 * @param {Point} b
 * @param {Point} c
 * @returns {Point|null}
 */
function centreOf(a, b, c) {
	const [bx, by, cx, cy] = [b.x - a.x, b.y - a.y, c.x - a.x, c.y - a.y];
	const twice = 2 * (bx * cy - by * cx);
	// A bend of less than a tenth of a unit is not seen.
	if (Math.abs(twice) <= 0.2 * Math.hypot(cx, cy)) {
		return null;
	}
	const [bb, cc] = [bx * bx + by * by, cx * cx + cy * cy];
	return { x: a.x + (cy * bb - by * cc) / twice, y: a.y + (bx * cc - cx * bb) / twice };
}

/**
 * The middle of an arc that stands off the straight line by bend.
 * @param {Point} start
 * @param {Point} end
 * @param {number} bend positive to the right of the way
 * @returns {Point}
 */
export function bentMiddle(start, end, bend) {
	const length = distance(start, end) || 1;
	return {
		x: (start.x + end.x) / 2 - ((end.y - start.y) / length) * bend,
		y: (start.y + end.y) / 2 + ((end.x - start.x) / length) * bend,
	};
}

/**
 * Whether a point lies within a closed outline.
 * @param {Point} p
 * @param {Point[]} outline
 * @returns {boolean}
 */
export function inside(p, outline) {
	let odd = false;
	for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
		const [a, b] = [outline[i], outline[j]];
		if (a.y > p.y !== b.y > p.y && p.x < ((b.x - a.x) * (p.y - a.y)) / (b.y - a.y) + a.x) {
			odd = !odd;
		}
	}
	return odd;
}

/**
 * The part of a way at which it leaves the outline it starts in; 0 if it starts
 * outside or never leaves.
 * @param {(part: number) => Point} at
 * @param {Point[]} outline
 * @returns {number}
 */
export function leaving(at, outline) {
	const steps = 64;
	if (!inside(at(0), outline)) {
		return 0;
	}
	for (let i = 1; i <= steps; i++) {
		if (inside(at(i / steps), outline)) {
			continue;
		}
		let [low, high] = [(i - 1) / steps, i / steps];
		for (let n = 0; n < 12; n++) {
			const middle = (low + high) / 2;
			[low, high] = inside(at(middle), outline) ? [middle, high] : [low, middle];
		}
		return high;
	}
	return 0;
}
