// Arrows of tldraw 2: straight or bent, free or bound to other drawings, with
// their heads and labels.

import { bentMiddle, leaving, pointOf, wayOver } from './geometry.js';
import { carry, nestKeys, shapeOf } from './tldraw2-place.js';
import { chevronPath, cornerPath, stroke, wayPath } from './ink.js';
import { list, number, object, string } from './values.js';
import { svg } from './draw.js';
import { setText } from './text.js';

/** How far a head stays from what its arrow is bound to. */
const gap = 10;

/**
 * Paints an arrow in its own coordinates.
 * @param {Record<string, any>} data
 * @param {Record<string, any>} props
 * @param {import('./tldraw2-look.js').Look} look
 * @param {import('./board.js').Scene} scene
 * @returns {{parts: SVGElement[], follows: string[]}}
 */
export function arrow(data, props, look, scene) {
	const [start, end] = [terminal(data, object(props.start), scene), terminal(data, object(props.end), scene)];
	const follows = [...start.follows, ...end.follows];
	const bend = number(props.bend, 0);
	const way = wayOver(start.point, bentMiddle(start.point, end.point, bend), end.point);
	const heads = [string(props.arrowheadStart ?? 'none', 20), string(props.arrowheadEnd ?? 'arrow', 20)];
	let from = cut(way.at, start.outline, heads[0], look.width, way.length);
	let to = 1 - cut((part) => way.at(1 - part), end.outline, heads[1], look.width, way.length);
	if (to - from < 0.02) {
		[from, to] = [0, 1];
	}
	const size = Math.max(look.width, Math.min((way.length * (to - from)) / 5, 3 * look.width)) * 1.6;
	const parts = [
		stroke(wayPath(way, from, to), { ...look, fill: 'none' }),
		...headOf(heads[0], way.at(from), way.heading(from) + Math.PI, size, look),
		...headOf(heads[1], way.at(to), way.heading(to), size, look),
		...labelOf(props, way.at((from + to) / 2), way.length, look, scene),
	];
	return { parts, follows };
}

/**
 * One end of an arrow: a point, or what it is bound to.
 * @param {Record<string, any>} data of the arrow
 * @param {Record<string, any>} end
 * @param {import('./board.js').Scene} scene
 */
function terminal(data, end, scene) {
	const key = string(end.boundShapeId, 200);
	const bound = key === '' || key === data.id ? undefined : scene.lookup(key);
	if (!bound) {
		return { point: pointOf(end) ?? { x: 0, y: 0 }, outline: [], follows: key === '' ? [] : [key] };
	}
	const anchor = end.isPrecise === false ? null : pointOf(end.normalizedAnchor);
	const { box, outline } = shapeOf(bound, scene);
	const inShape = { x: box.x + box.w * (anchor?.x ?? 0.5), y: box.y + box.h * (anchor?.y ?? 0.5) };
	const [point, ...carried] = carry([inShape, ...(end.isExact === true ? [] : outline)], bound, data, scene);
	const members = bound.type === 'group' ? list(scene.members(bound.id), 200).map(({ id }) => String(id)) : [];
	return { point, outline: carried, follows: [...nestKeys(bound, scene), ...nestKeys(data, scene).slice(1), ...members] };
}

/**
 * How much of a way lies within an outline and the gap around it.
 * @param {(part: number) => import('./geometry.js').Point} at
 * @param {import('./geometry.js').Point[]} outline
 * @param {string} head
 * @param {number} width
 * @param {number} length
 */
function cut(at, outline, head, width, length) {
	const part = outline.length === 0 ? 0 : leaving(at, outline);
	return part === 0 ? 0 : part + (head === 'none' ? width : gap) / Math.max(length, 1);
}

/**
 * The head of an arrow, its tip at a point.
 * @param {string} kind
 * @param {import('./geometry.js').Point} tip
 * @param {number} heading radians
 * @param {number} size
 * @param {import('./tldraw2-look.js').Look} look
 * @returns {SVGElement[]}
 */
function headOf(kind, tip, heading, size, look) {
	const at = (back, side) => ({
		x: tip.x - back * size * Math.cos(heading) - side * size * Math.sin(heading),
		y: tip.y - back * size * Math.sin(heading) + side * size * Math.cos(heading),
	});
	const pen = { color: look.color, width: look.width };
	const closed = { ...pen, fill: look.fill === 'none' ? '#ffffff' : look.color };
	switch (kind) {
		case 'arrow':
			return [stroke(chevronPath(tip, heading, size), pen)];
		case 'triangle':
			return [stroke(cornerPath([tip, at(1, 0.5), at(1, -0.5)], true), closed)];
		case 'inverted':
			return [stroke(cornerPath([at(1, 0), at(0, 0.5), at(0, -0.5)], true), closed)];
		case 'square':
			return [stroke(cornerPath([at(0, 0.4), at(0, -0.4), at(0.8, -0.4), at(0.8, 0.4)], true), closed)];
		case 'diamond':
			return [stroke(cornerPath([tip, at(0.5, 0.4), at(1, 0), at(0.5, -0.4)], true), closed)];
		case 'dot': {
			const { x, y } = at(0.35, 0);
			return [svg('circle', { cx: x, cy: y, r: size * 0.35, fill: closed.fill, stroke: look.color, 'stroke-width': look.width })];
		}
		case 'bar':
		case 'pipe':
			return [stroke(cornerPath([at(0, 0.5), at(0, -0.5)]), pen)];
		default:
			return [];
	}
}

function labelOf(props, middle, length, look, scene) {
	const text = string(props.text);
	if (text.trim() === '') {
		return [];
	}
	const w = Math.max(120, Math.min(length * 0.7, 400));
	return [setText({
		text, x: middle.x - w / 2, y: middle.y - 10, w, h: 20, wraps: true, align: 'middle', vertical: 'middle',
		size: look.labels * 0.9, family: look.family, color: props.labelColor ? look.labelColor : look.color, halo: '#ffffff',
	}, scene.measure)];
}

