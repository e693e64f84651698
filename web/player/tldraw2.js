// Painting the drawings of the whiteboard of BBB 3 (tldraw 2).

import { arrow } from './tldraw2-arrow.js';
import { boxPath, cornerPath, curvePath, stroke, strokePath } from './ink.js';
import { emptyFrame, picture, svg } from './draw.js';
import { linePoints, placeOf, sizeOf } from './tldraw2-place.js';
import { fix, list, number, object, own, string } from './values.js';
import { lookOf } from './tldraw2-look.js';
import { outlineOf } from './tldraw2-geo.js';
import { poll } from './tldraw2-poll.js';
import { pointsOf } from './geometry.js';
import { frameName, setText } from './text.js';

const painters = {
	draw: (data, props, look) => ({ parts: draw(props, look) }),
	highlight: (data, props, look) => ({ parts: highlight(props, look) }),
	geo: (data, props, look, scene) => ({ parts: geo(props, look, scene) }),
	line: (data, props, look) => ({ parts: line(props, look) }),
	text: (data, props, look, scene) => ({ parts: text(props, look, scene) }),
	note: (data, props, look, scene) => ({ parts: note(props, look, scene) }),
	image: (data, props, look, scene) => ({ parts: image(data, props, scene) }),
	poll: (data, props, look, scene) => ({ parts: poll(props, look, scene) }),
	frame: (data, props, look, scene) => frame(props, scene),
	group: () => ({ parts: [], unseen: true }),
	arrow,
};

/** The types that are known. */
export const types = new Set(Object.keys(painters));

/** The edge between a shape and what is written on it. */
const inset = 16;

/**
 * Paints one version of a drawing.
 * @param {import('./lookup.js').Version} version
 * @param {import('./board.js').Scene} scene
 * @returns {import('./board.js').Painting}
 */
export function paint(version, scene) {
	const { data } = version;
	const props = object(data.props);
	const { x, y, turn } = placeOf(data);
	const opacity = number(data.opacity, 1, 0, 1);
	const node = svg('g', {
		transform: `translate(${fix(x)} ${fix(y)})` + (turn === 0 ? '' : ` rotate(${fix((turn * 180) / Math.PI)})`),
		opacity: opacity === 1 ? null : opacity,
	});
	const painting = { node, order: string(data.index, 200), parent: string(data.parentId, 200) };
	const painter = own(painters, data.type, null);
	if (painter === null) {
		return { ...painting, unseen: true };
	}
	const { parts, ...rest } = painter(data, props, lookOf(props, scene), scene);
	node.append(...parts);
	return { ...painting, ...(data.type === 'group' ? { container: node } : {}), ...rest };
}

/** The path of the segments of a stroke, one after the other. */
function segmentsPath(props) {
	return list(props.segments, 5000).map(object).map((segment) => {
		const points = pointsOf(segment.points);
		return segment.type === 'straight' && points.length > 1 ? cornerPath(points) : strokePath(points);
	}).filter((path) => path !== '').map((path, i) => (i === 0 ? path : 'L' + path.slice(1))).join('');
}

/** How hard a pen was pressed on the whole: 1 for middling, as for a mouse. */
function pressureOf(props) {
	const points = props.isPen === true ? list(object(list(props.segments, 1)[0]).points, 2000) : [];
	const sum = points.reduce((all, point) => all + number(object(point).z, 0.5, 0, 1), 0);
	return points.length === 0 ? 1 : 0.6 + (0.8 * sum) / points.length;
}

/** Drawn by hand. */
function draw(props, look) {
	const closed = props.isClosed === true;
	const path = segmentsPath(props);
	const width = look.byHand ? (look.scale + 1.3 * look.width) * pressureOf(props) : look.width;
	return path === '' ? [] : [stroke(path + (closed ? 'Z' : ''), { color: look.color, width, dashes: look.dashes, fill: closed ? look.fill : 'none' })];
}

/** Drawn over with a broad pen that lets shine through. */
function highlight(props, look) {
	const path = segmentsPath(props);
	const made = stroke(path, { color: look.highlight, width: look.width * 7 });
	made.setAttribute('stroke-opacity', '0.45');
	return path === '' ? [] : [made];
}

function geo(props, look, scene) {
	const { w, h } = sizeOf(props);
	const outline = outlineOf(props.geo, w, h);
	const parts = [stroke(outline.path, look)];
	if (outline.inner !== '') {
		parts.push(stroke(outline.inner, { ...look, fill: 'none' }));
	}
	return [...parts, ...labelOf(props, { w, h }, look, scene)];
}

/** What is written on a shape, within its edge. */
function labelOf(props, { w, h }, look, scene) {
	const text = string(props.text);
	return text.trim() === '' ? [] : [setText({
		text, x: inset, y: inset, w: Math.max(1, w - 2 * inset), h: h - 2 * inset, wraps: true, shrinks: true, align: look.align, vertical: look.vertical,
		size: look.labels, family: look.family, color: look.labelColor,
	}, scene.measure)];
}

function line(props, look) {
	const points = linePoints(props);
	const path = props.spline === 'cubic' ? curvePath(points) : cornerPath(points);
	return path === '' ? [] : [stroke(path, { ...look, fill: 'none' })];
}

function text(props, look, scene) {
	const words = string(props.text);
	const align = own({ middle: 'middle', end: 'end' }, props.align, 'start');
	const block = { text: words, x: 0, y: 0, align, size: look.letters, family: look.family, color: look.color };
	return [setText({ ...block, w: number(props.w, 0, 0) * look.scale, wraps: props.autoSize === false }, scene.measure)];
}

/** A note that sticks. */
function note(props, look, scene) {
	const size = { w: 200 * look.scale, h: (200 + number(props.growY, 0, 0)) * look.scale };
	return [svg('path', { d: boxPath(size.w, size.h, 10 * look.scale), fill: look.note }), ...labelOf(props, size, look, scene)];
}

/** A frame cuts off what lies in it. */
function frame(props, scene) {
	const { w, h } = sizeOf(props);
	const name = setText({
		text: string(props.name, 200) || 'Frame', x: 0, y: -20, w, size: 12, family: 'Arial, Helvetica, sans-serif', color: '#161616',
	}, scene.measure);
	const container = svg('svg', { width: w, height: h, overflow: 'hidden' });
	return { parts: [svg('rect', { width: w, height: h, fill: '#ffffff', stroke: '#161616', 'stroke-width': 1 }), name, container], container };
}

const pictures = /(^|\/)file-uploads\/.+\.(png|jpe?g|gif|webp|svg)$/i;

/** A picture, if the recording has it; else where it was. */
function image(data, props, scene) {
	const { w, h } = sizeOf(props);
	const found = [props.src, props.url, object(data.meta).src].find((name) => pictures.test(string(name, 1000)));
	const href = found === undefined ? null : scene.resolve(found);
	if (href !== null) {
		return [picture({ width: w, height: h, href, preserveAspectRatio: 'none' })];
	}
	return [emptyFrame(w, h), frameName(string(props.altText, 200) || string(props.name, 200), w, h, scene.measure)];
}
