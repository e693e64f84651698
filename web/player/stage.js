// The stage: one picture of the slide, the drawings on it, and the presenter's
// cursor, as they were at a time. It keeps what does not change, so that it may
// be asked many times a second, and looks the same however one got to a time.

import { changesOf, entryAt, indexAt } from './lookup.js';
import { createBoard } from './board.js';
import { createMeasure } from './text.js';
import { fix } from './values.js';
import { createHatches, picture, set, svg } from './draw.js';

/** @typedef {import('./recording.js').Recording} Recording */
/** @typedef {import('./slides.js').Slide} Slide */

/** Where nothing is shown. */
const nowhere = [0, 0, 1600, 900];

/**
 * What is on the stage.
 * @typedef {object} Shown
 * @property {Slide|null} slide
 * @property {number[]} viewBox x, y, width and height in the units of the drawings
 * @property {number} drawings how many are to be seen
 * @property {{x: number, y: number}|null} cursor in the units of the drawings
 */

/**
 * Makes the stage of a recording.
 * @param {Recording} recording
 * @param {object} [options]
 * @param {(slide: Slide|null) => string} [options.label] what the picture is called for those who cannot see it
 */
export function createStage(recording, { label = (slide) => slide?.text ?? '' } = {}) {
	const hatches = createHatches();
	const board = createBoard(recording.paint, {
		resolve: recording.resolve, measure: createMeasure(), hatch: hatches.fill,
	});
	const paper = svg('g');
	// The dot is a line without a length, as wide on the screen whatever the zoom.
	const dot = svg('path', {
		d: 'M0 0l0.001 0', stroke: '#c70039', 'stroke-width': 14, 'stroke-linecap': 'round',
		'vector-effect': 'non-scaling-stroke', 'data-cursor': '',
	});
	// The view cuts off at its own edge, the picture around it may be larger.
	const view = svg('svg', { overflow: 'hidden' }, hatches.element, paper, board.element, dot);
	const element = svg('svg', { preserveAspectRatio: 'xMidYMid meet' }, view);
	const changes = new Map();
	/** @type {Slide|null|undefined} */
	let slide;
	let viewBox = nowhere;
	/** @type {{x: number, y: number}|null} */
	let cursor = null;

	function update(time) {
		const index = indexAt(recording.slides, time);
		const next = recording.slides[index] ?? null;
		if (next !== slide) {
			turnTo(next, recording.slides[index + 1]);
		}
		board.update(time);
		viewBox = viewOf(recording, next, time);
		frame(element, view, viewBox);
		cursor = cursorOf(recording, next, viewBox, time);
		set(dot, { transform: cursor && `translate(${fix(cursor.x)} ${fix(cursor.y)})`, visibility: cursor ? null : 'hidden' });
	}

	function turnTo(next, following) {
		slide = next;
		paper.replaceChildren(...pictureOf(recording, next));
		const image = next?.image ?? '';
		if (!changes.has(image)) {
			const revives = recording.generation !== 'svg';
			changes.set(image, changesOf(next?.kind === 'deskshare' ? [] : recording.boards.get(image) ?? [], revives));
		}
		board.show(changes.get(image));
		const name = label(next);
		set(element, { role: name ? 'img' : 'presentation', 'aria-label': name || null });
		// The picture that comes next is there when it is its turn.
		if (following?.href) {
			new Image().src = following.href;
		}
	}

	update(-1);
	return {
		element, update,
		/** @returns {Shown} */
		current: () => ({ slide: slide ?? null, viewBox, drawings: board.count(), cursor }),
		destroy() {
			board.show([]);
			changes.clear();
			element.remove();
		},
	};
}

/**
 * How many units of the drawings a pixel of the slide is.
 * @param {Recording} recording
 * @param {Slide} slide
 */
function scaleOf(recording, slide) {
	return recording.generation.startsWith('tldraw')
		? Math.min(recording.page.width / slide.width, recording.page.height / slide.height) : 1;
}

/**
 * @param {Recording} recording
 * @param {Slide|null} slide
 * @returns {SVGElement[]}
 */
function pictureOf(recording, slide) {
	if (!slide) {
		return [];
	}
	const scale = scaleOf(recording, slide);
	const size = { width: slide.width * scale, height: slide.height * scale };
	const sheet = svg('rect', { ...size, fill: '#ffffff' });
	return slide.href === null ? [sheet] : [sheet, picture({ ...size, href: slide.href })];
}

/**
 * The part of the page that is seen.
 * @param {Recording} recording
 * @param {Slide|null} slide
 * @param {number} time
 * @returns {number[]}
 */
function viewOf(recording, slide, time) {
	if (!slide) {
		return nowhere;
	}
	const scale = scaleOf(recording, slide);
	const entry = slide.kind === 'deskshare' ? null : entryAt(recording.panzooms, time);
	if (entry === null || entry.w <= 0 || entry.h <= 0) {
		return [0, 0, slide.width * scale, slide.height * scale].map(fix);
	}
	const camera = recording.generation.startsWith('tldraw');
	const [x, y] = camera ? [0 - entry.x, 0 - entry.y] : [entry.x, entry.y];
	return [x, y, entry.w * scale, entry.h * scale].map(fix);
}

/**
 * @param {Element} element
 * @param {Element} view
 * @param {number[]} viewBox
 */
function frame(element, view, viewBox) {
	const text = viewBox.join(' ');
	if (element.getAttribute('viewBox') !== text) {
		const [x, y, width, height] = viewBox;
		element.setAttribute('viewBox', text);
		set(view, { x, y, width, height, viewBox: text });
	}
}

/**
 * Where the presenter's cursor is; null if it is hidden.
 * @param {Recording} recording
 * @param {Slide|null} slide
 * @param {number[]} viewBox
 * @param {number} time
 */
function cursorOf(recording, slide, [x, y, w, h], time) {
	const entry = slide === null || slide.kind === 'deskshare' ? null : entryAt(recording.cursor, time);
	if (entry === null || (entry.x === -1 && entry.y === -1)) {
		return null;
	}
	return recording.generation.startsWith('tldraw')
		? { x: fix(entry.x), y: fix(entry.y) } : { x: fix(x + entry.x * w), y: fix(y + entry.y * h) };
}
