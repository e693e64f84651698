// Lines as a pen draws them: smoothed strokes, dashes, curves through points,
// arrows along a straight or bent way.

import { fix } from './values.js';
import { svg } from './draw.js';

/** @typedef {import('./geometry.js').Point} Point */

/** @param {Point} p */
const pair = (p) => `${fix(p.x)} ${fix(p.y)}`;

/**
 * The path of a stroke by hand: from point to point in curves whose corners are
 * the points. One point alone is a dot, which round caps show.
 * @param {Point[]} points
 * @param {boolean} [closed]
 * @returns {string} empty if there are no points
 */
export function strokePath(points, closed = false) {
	if (points.length === 0) {
		return '';
	}
	if (points.length < 3) {
		const last = points[points.length - 1];
		return `M${pair(points[0])}L${points.length === 1 ? `${fix(last.x + 0.01)} ${fix(last.y)}` : pair(last)}`;
	}
	const path = [`M${pair(points[0])}`];
	for (let i = 1; i < points.length - 1; i++) {
		const [p, next] = [points[i], points[i + 1]];
		const last = i === points.length - 2;
		path.push(`Q${pair(p)} ${pair(last ? next : { x: (p.x + next.x) / 2, y: (p.y + next.y) / 2 })}`);
	}
	return path.join('') + (closed ? 'Z' : '');
}

/**
 * The path from corner to corner.
 * @param {Point[]} points
 * @param {boolean} [closed]
 * @returns {string}
 */
export function cornerPath(points, closed = false) {
	return points.length === 0 ? '' : `M${points.map(pair).join('L')}${closed ? 'Z' : ''}`;
}

/**
 * A smooth curve that passes through all points.
 * @param {Point[]} points
 * @returns {string}
 */
export function curvePath(points) {
	if (points.length < 3) {
		return cornerPath(points);
	}
	const path = [`M${pair(points[0])}`];
	for (let i = 0; i < points.length - 1; i++) {
		const [before, from, to, after] = [points[i - 1] ?? points[i], points[i], points[i + 1], points[i + 2] ?? points[i + 1]];
		const leave = { x: from.x + (to.x - before.x) / 6, y: from.y + (to.y - before.y) / 6 };
		const reach = { x: to.x - (after.x - from.x) / 6, y: to.y - (after.y - from.y) / 6 };
		path.push(`C${pair(leave)} ${pair(reach)} ${pair(to)}`);
	}
	return path.join('');
}

/**
 * The path along a part of a way.
 * @param {import('./geometry.js').Way} way
 * @param {number} [from]
 * @param {number} [to]
 * @returns {string}
 */
export function wayPath(way, from = 0, to = 1) {
	const [start, end] = [way.at(from), way.at(to)];
	if (!way.arc) {
		return `M${pair(start)}L${pair(end)}`;
	}
	const sweep = way.arc.sweep * (to - from);
	return `M${pair(start)}A${fix(way.arc.radius)} ${fix(way.arc.radius)} 0 ${Math.abs(sweep) > Math.PI ? 1 : 0} ${sweep > 0 ? 1 : 0} ${pair(end)}`;
}

/**
 * A rectangle with round corners, as a path.
 * @param {number} w
 * @param {number} h
 * @param {number} r
 * @returns {string}
 */
export function boxPath(w, h, r) {
	const [x, y, c] = [fix(w), fix(h), fix(Math.max(0, Math.min(r, w / 2, h / 2)))];
	return c === 0 ? `M0 0H${x}V${y}H0Z`
		: `M${c} 0H${fix(x - c)}A${c} ${c} 0 0 1 ${x} ${c}V${fix(y - c)}A${c} ${c} 0 0 1 ${fix(x - c)} ${y}H${c}A${c} ${c} 0 0 1 0 ${fix(y - c)}V${c}A${c} ${c} 0 0 1 ${c} 0Z`;
}

/**
 * An ellipse as a path.
 * @param {number} cx
 * @param {number} cy
 * @param {number} rx
 * @param {number} ry
 * @returns {string}
 */
export function ellipsePath(cx, cy, rx, ry) {
	const [a, b] = [fix(rx), fix(ry)];
	return `M${fix(cx - rx)} ${fix(cy)}A${a} ${b} 0 1 1 ${fix(cx + rx)} ${fix(cy)}A${a} ${b} 0 1 1 ${fix(cx - rx)} ${fix(cy)}Z`;
}

/**
 * Two strokes that meet at the end of a line and open to the back.
 * @param {Point} tip
 * @param {number} heading radians
 * @param {number} length
 * @param {number} [spread] radians between a stroke and the line
 * @returns {string}
 */
export function chevronPath(tip, heading, length, spread = Math.PI / 6) {
	const back = (turn) => ({ x: tip.x - length * Math.cos(heading + turn), y: tip.y - length * Math.sin(heading + turn) });
	return `M${pair(back(spread))}L${pair(tip)}L${pair(back(-spread))}`;
}

/**
 * A stroke without a fill, or with one.
 * @param {string} d
 * @param {object} look
 * @param {string} look.color
 * @param {number} look.width
 * @param {string|null} [look.dashes]
 * @param {string} [look.fill]
 * @returns {SVGElement}
 */
export function stroke(d, { color, width, dashes = null, fill = 'none' }) {
	return svg('path', {
		d, fill, stroke: color, 'stroke-width': width, 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'stroke-dasharray': dashes,
	});
}
