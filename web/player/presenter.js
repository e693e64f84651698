// Reading what the presenter did: which part of a slide they showed, where their
// cursor was, when they shared their screen, and which of both was in front.

import { all, numbers, textOf } from './xml.js';
import { byTime } from './lookup.js';
import { number, seconds } from './values.js';

/** @param {Document} document */
function isTldraw(document) {
	return all(document, 'recording')[0]?.getAttribute('tldraw') === 'true';
}

/** @param {Document} document */
export function readPanzooms(document) {
	const found = all(document, 'event').flatMap((event) => {
		const time = seconds(event.getAttribute('timestamp'));
		const box = numbers(textOf(event, 'viewBox'), 4);
		return time === null || box === null ? [] : [{ time, x: box[0], y: box[1], w: box[2], h: box[3] }];
	});
	return { tldraw: isTldraw(document), list: byTime(found) };
}

/** @param {Document} document */
export function readCursor(document) {
	const found = all(document, 'event').flatMap((event) => {
		const time = seconds(event.getAttribute('timestamp'));
		const point = numbers(textOf(event, 'cursor'), 2);
		return time === null || point === null ? [] : [{ time, x: point[0], y: point[1] }];
	});
	return { tldraw: isTldraw(document), list: byTime(found) };
}

/**
 * What the presenter had in front while the screen was shared. An event need not
 * tell it: those about the presentation alone do not.
 * @param {Document} document
 */
export function readLayout(document) {
	return byTime(all(document, 'event').flatMap((event) => {
		const time = seconds(event.getAttribute('timestamp'));
		const front = event.getAttribute('show_screenshare');
		return time === null || !front ? [] : [{ time, screenshare: front === 'true' }];
	}));
}

/**
 * When the screen was shared.
 * @param {Document} document of deskshare.xml
 * @returns {{start: number, stop: number}[]}
 */
export function readDeskshare(document) {
	const events = all(document, 'event').map((event) => ({
		start: number(event.getAttribute('start_timestamp'), NaN), stop: number(event.getAttribute('stop_timestamp'), Infinity),
	}));
	return events.filter(({ start, stop }) => start < stop).sort((a, b) => a.start - b.start);
}

/**
 * The same from the slides that stand in for the screen, for where the file
 * that says so is missing.
 * @param {import('./slides.js').Slide[]} slides
 * @returns {{start: number, stop: number}[]}
 */
export function deskshareOf(slides) {
	return slides.filter(({ kind }) => kind === 'deskshare').map((slide) => ({ start: slide.in, stop: slide.out }));
}
