// A poll's result on the whiteboard of BBB 3: the question, and a bar for each
// answer with its votes and their share.

import { list, number, object, string } from './values.js';
import { setText, wrap } from './text.js';
import { sizeOf } from './tldraw2-place.js';
import { svg } from './draw.js';

const family = 'Arial, Helvetica, sans-serif';
const ink = '#161616';

/**
 * @param {Record<string, any>} props
 * @param {import('./tldraw2-look.js').Look} look
 * @param {import('./board.js').Scene} scene
 * @returns {SVGElement[]}
 */
export function poll(props, look, scene) {
	const { w, h } = sizeOf(props, 200);
	const pad = Math.min(w, h) * 0.06;
	const answers = list(props.answers, 50).map(object);
	const parts = [svg('rect', { width: w, height: h, fill: '#ffffff', stroke: look.color, 'stroke-width': 2, rx: 4 })];
	const top = question(parts, props, { w, h, pad }, scene) + pad;
	const row = (h - top - pad) / Math.max(1, answers.length);
	const responders = number(props.numResponders, 0, 0);
	const most = Math.max(1, ...answers.map((answer) => number(answer.numVotes, 0, 0)));
	answers.forEach((answer, i) => {
		parts.push(...bar(answer, { x: pad, y: top + i * row, w: w - 2 * pad, h: row }, { responders, most, color: look.color }, scene));
	});
	return parts;
}

/** Adds the question; returns where it ends. */
function question(parts, props, { w, h, pad }, scene) {
	const text = string(props.questionText, 500) || string(props.question, 500);
	if (text.trim() === '') {
		return 0;
	}
	let size = Math.max(6, Math.min(32, h * 0.09));
	const lines = () => wrap(text, w - 2 * pad, (part) => scene.measure(part, size, family)).length;
	while (size > 4 && lines() * size * 1.25 > h * 0.4) {
		size *= 0.85;
	}
	parts.push(setText({ text, x: pad, y: pad, w: w - 2 * pad, wraps: true, size, family, color: ink, leading: 1.25 }, scene.measure));
	return pad + lines() * size * 1.25;
}

/** An answer, its bar and its votes. */
function bar(answer, box, { responders, most, color }, scene) {
	const votes = Math.round(number(answer.numVotes, 0, 0));
	const share = responders > 0 ? ` (${Math.round((votes / responders) * 100)}%)` : '';
	const size = Math.max(4, Math.min(24, box.h * 0.45, box.w * 0.055));
	const [name, room] = [box.w * 0.3, box.w * 0.4];
	const line = { y: box.y, h: box.h, vertical: 'middle', size, family, color: ink };
	const key = string(answer.key, 100) + (answer.isCorrectAnswer === true ? ' \u2713' : '');
	const [short, ...more] = wrap(key, name, (part) => scene.measure(part, size, family));
	return [
		setText({ ...line, text: more.length > 0 ? short + '…' : short, x: box.x, w: name }, scene.measure),
		svg('rect', { x: box.x + name + size / 2, y: box.y + box.h * 0.2, width: Math.max(1, (votes / most) * room), height: Math.max(0, box.h * 0.6), fill: color }),
		setText({ ...line, text: `${votes}${share}`, x: box.x, w: box.w, align: 'end' }, scene.measure),
	];
}
