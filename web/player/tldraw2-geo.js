// The outlines of the geometric shapes of tldraw 2, in a box from 0 0 to w h.

import { cornerPath, ellipsePath } from './ink.js';
import { boxAround } from './geometry.js';
import { fix, own } from './values.js';

/** @typedef {import('./geometry.js').Point} Point */

/**
 * An outline: as a path to draw, as corners to meet it, and lines within it.
 * @typedef {{path: string, corners: Point[], inner: string}} Outline
 */

/** @param {...number} flat */
const corners = (...flat) => Array.from({ length: flat.length / 2 }, (_, i) => ({ x: flat[2 * i], y: flat[2 * i + 1] }));

const rectangle = (w, h) => corners(0, 0, w, 0, w, h, 0, h);
const slant = (w, h) => Math.min(w, h) * 0.38;

const polygons = {
	rectangle, 'x-box': rectangle, 'check-box': rectangle,
	triangle: (w, h) => corners(w / 2, 0, w, h, 0, h),
	diamond: (w, h) => corners(w / 2, 0, w, h / 2, w / 2, h, 0, h / 2),
	pentagon: (w, h) => regular(w, h, 5),
	hexagon: (w, h) => regular(w, h, 6),
	octagon: (w, h) => regular(w, h, 8),
	star: (w, h) => regular(w, h, 10, 0.5),
	rhombus: (w, h) => corners(slant(w, h), 0, w, 0, w - slant(w, h), h, 0, h),
	'rhombus-2': (w, h) => corners(0, 0, w - slant(w, h), 0, w, h, slant(w, h), h),
	trapezoid: (w, h) => corners(slant(w, h), 0, w - slant(w, h), 0, w, h, 0, h),
	'arrow-right': pointing,
	'arrow-left': (w, h) => pointing(w, h).map(({ x, y }) => ({ x: w - x, y })),
	'arrow-down': (w, h) => pointing(h, w).map(({ x, y }) => ({ x: y, y: x })),
	'arrow-up': (w, h) => pointing(h, w).map(({ x, y }) => ({ x: y, y: h - x })),
};

/** An arrow to the right. */
function pointing(w, h) {
	const [neck, edge] = [w - slant(w, h), h * 0.16];
	return corners(0, edge, neck, edge, neck, 0, w, h / 2, neck, h, neck, h - edge, 0, h - edge);
}

/** A regular polygon with a corner on top, stretched to fill the box; every other corner may be drawn in. */
function regular(w, h, count, drawnIn = 1) {
	const points = Array.from({ length: count }, (_, i) => {
		const [angle, r] = [(2 * Math.PI * i) / count - Math.PI / 2, i % 2 === 1 ? drawnIn : 1];
		return { x: r * Math.cos(angle), y: r * Math.sin(angle) };
	});
	const box = boxAround(points);
	return points.map(({ x, y }) => ({ x: ((x - box.x) / box.w) * w, y: ((y - box.y) / box.h) * h }));
}

/** Points around an ellipse, as corners. */
function around(w, h, count = 48) {
	return Array.from({ length: count }, (_, i) => {
		const angle = (2 * Math.PI * i) / count;
		return { x: (w / 2) * (1 + Math.cos(angle)), y: (h / 2) * (1 + Math.sin(angle)) };
	});
}

/** Two half circles and what is between them. */
function oval(w, h) {
	const r = fix(Math.min(w, h) / 2);
	const path = w >= h
		? `M${r} 0H${fix(w - r)}A${r} ${r} 0 0 1 ${fix(w - r)} ${fix(h)}H${r}A${r} ${r} 0 0 1 ${r} 0Z`
		: `M0 ${r}A${r} ${r} 0 0 1 ${fix(w)} ${r}V${fix(h - r)}A${r} ${r} 0 0 1 0 ${fix(h - r)}Z`;
	const ends = around(2 * r, 2 * r);
	const stretched = ends.map(({ x, y }) => ({ x: x > r ? x + w - 2 * r : x, y: y > r ? y + h - 2 * r : y }));
	return { path, corners: stretched, inner: '' };
}

/** Bumps along an ellipse a little smaller than the box. */
function cloud(w, h) {
	const count = Math.max(8, Math.min(24, Math.round((w + h) / 40)));
	const points = around(w * 0.86, h * 0.84, count).map(({ x, y }) => ({ x: x + w * 0.07, y: y + h * 0.08 }));
	const path = points.map((point, i) => {
		const next = points[(i + 1) % count];
		const r = fix(Math.hypot(next.x - point.x, next.y - point.y) * 0.58);
		return `${i === 0 ? `M${fix(point.x)} ${fix(point.y)}` : ''}A${r} ${r} 0 0 1 ${fix(next.x)} ${fix(next.y)}`;
	});
	return { path: path.join('') + 'Z', corners: around(w, h), inner: '' };
}

function crossed(w, h) {
	return `M0 0L${fix(w)} ${fix(h)}M${fix(w)} 0L0 ${fix(h)}`;
}

function checked(w, h) {
	const size = Math.min(w, h) * 0.82;
	const at = (x, y) => ({ x: (w - size) / 2 + size * x, y: (h - size) / 2 + size * y });
	return cornerPath([at(0.25, 0.52), at(0.45, 0.82), at(0.82, 0.22)]);
}

/**
 * The outline of a shape; of one that is not known, its box.
 * @param {unknown} kind
 * @param {number} w
 * @param {number} h
 * @returns {Outline}
 */
export function outlineOf(kind, w, h) {
	switch (kind) {
		case 'ellipse':
			return { path: ellipsePath(w / 2, h / 2, w / 2, h / 2), corners: around(w, h), inner: '' };
		case 'oval':
			return oval(w, h);
		case 'cloud':
			return cloud(w, h);
	}
	const points = own(polygons, kind, rectangle)(w, h);
	const inner = kind === 'x-box' ? crossed(w, h) : kind === 'check-box' ? checked(w, h) : '';
	return { path: cornerPath(points, true), corners: points, inner };
}
