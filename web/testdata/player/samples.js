// Recordings made up for the tests.

import { load } from '/player/recording.js';
import { createStage } from '/player/stage.js';
import { withFiles } from './check.js';

export const pres = 'd2d9a672040fbde2a47a10bf6c37b6a4b5ae187f-1530718721134';

const xml = '<?xml version="1.0"?>\n';

export const media = { 'video/webcams.webm': 'x' };

export const metadata = `<recording><id>r</id><start_time>1530718721124</start_time><participants>3</participants>
<meeting id="r" name="From the attribute"/><meta><meetingName>Fred's Room</meetingName><duration>7</duration></meta>
<playback><format>presentation</format><duration>89332</duration></playback></recording>`;

/** A shapes.svg of images [id, in, href, width, height] and what stands behind them. */
export function shapesOf(images, rest = '') {
	const slides = images.map(([id, start, href, w = 1600, h = 900]) =>
		`<image id="${id}" class="slide" in="${start}" out="0" xlink:href="${href}" width="${w}" height="${h}" x="0" y="0" style="visibility:hidden"/>`);
	return `${xml}<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg id="svgfile" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" viewBox="0 0 800 600">${slides.join('')}${rest}</svg>`;
}

export function panzoomsOf(events, tldraw = false) {
	return `${xml}<recording id="panzoom_events" tldraw="${tldraw}">${events.map(([t, box]) => `<event timestamp="${t}"><viewBox>${box}</viewBox></event>`).join('')}</recording>`;
}

export function cursorOf(events, tldraw = false) {
	return `${xml}<recording id="cursor_events" tldraw="${tldraw}">${events.map(([t, at]) => `<event timestamp="${t}"><cursor>${at}</cursor></event>`).join('')}</recording>`;
}

export const png = (n) => `presentation/${pres}/slide-${n}.png`;
export const svgSlide = (n) => `presentation/${pres}/svgs/slide${n}.svg`;

/** A recording of the whiteboard's shapes [data, time, undo] on one slide of 1440x1080. */
export function whiteboardFiles(shapes, version = '3.0.2', images = [['image1', 0, svgSlide(1), 1440, 1080]]) {
	return {
		...media, 'metadata.xml': metadata, 'shapes.svg': shapesOf(images), 'panzooms.xml': panzoomsOf([], true),
		'cursor.xml': cursorOf([], true), 'slides_new.xml': '<popcorn/>',
		'tldraw.json': JSON.stringify({
			bbb_version: version,
			1: { timestamp: 0, shapes: shapes.map(([data, time = 0, undo = -1], i) => ({ id: i, timestamp: time, undo, shape_data: data })) },
		}),
	};
}

/** Loads made-up files. */
export function loaded(files) {
	return withFiles(files, () => load('r'));
}

/** Loads made-up files and puts them on a stage in the page. */
export async function staged(files) {
	const recording = await loaded(files);
	const stage = createStage(recording);
	document.body.append(stage.element);
	return { recording, stage, element: stage.element };
}

/** What is shown of drawings, in their order. */
export function shownOn(element) {
	return [...element.querySelectorAll('[data-shape]')].map((node) => node.getAttribute('data-shape'));
}
