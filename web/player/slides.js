// Reading shapes.svg: when which slide is shown, and, up to BBB 2.5, the versions
// of the drawings on it. Also the thumbnails and texts that belong to slides.

import { all, hrefOf } from './xml.js';
import { number, object, seconds, string } from './values.js';
import { byTime } from './lookup.js';

/**
 * One showing of a slide.
 * @typedef {object} Slide
 * @property {string} id unique among the showings
 * @property {string} image id of the image, by which drawings belong to it
 * @property {number} number the number in that id
 * @property {number} in seconds
 * @property {number} time the same, by which it is looked up
 * @property {number} out when the next is shown; Infinity for the last
 * @property {string|null} href
 * @property {number} width pixels
 * @property {number} height pixels
 * @property {'slide'|'deskshare'|'logo'} kind
 * @property {string} presentation id of the presentation; empty if none
 * @property {number} page in the presentation, from 1; 0 if none
 * @property {string} text what is written on the slide
 * @property {string|null} thumb address of a small picture
 */

/** The most showings and versions that are read. */
const mostShowings = 20000;
const mostVersions = 200000;

/**
 * @param {Document} document
 * @param {(name: unknown) => string|null} resolve
 * @param {() => void} [cut] called if there is more than is read
 * @returns {Slide[]} sorted by time; those that are replaced the moment they come are left out
 */
export function readSlides(document, resolve, cut) {
	/** @type {Slide[]} */
	const showings = [];
	for (const image of all(document, 'image')) {
		const href = hrefOf(image);
		if (href === '' || !image.hasAttribute('in')) {
			continue;
		}
		if (showings.length >= mostShowings) {
			cut?.();
			break;
		}
		(image.getAttribute('in') ?? '').trim().split(/[\s,]+/).forEach((word, nth) => {
			const time = seconds(word);
			if (time !== null) {
				const slide = slideOf(image, href, resolve);
				showings.push({ ...slide, id: nth > 0 ? `${slide.id}-${nth + 1}` : slide.id, time, in: time });
			}
		});
	}
	byTime(showings);
	const known = new Set();
	showings.forEach((slide, i) => {
		slide.id = known.has(slide.id) ? `${slide.id}-at-${i}` : slide.id;
		known.add(slide.id);
		slide.out = showings[i + 1]?.in ?? Infinity;
	});
	return showings.filter((slide) => slide.in < slide.out);
}

/**
 * @param {Element} image
 * @param {string} href
 * @param {(name: unknown) => string|null} resolve
 * @returns {Slide}
 */
function slideOf(image, href, resolve) {
	const id = string(image.getAttribute('id'), 100);
	// Of the time when 2.0 was made, there is deskshare/slide-1.png as well.
	const kind = /(?:^|\/)deskshare(?:\.png$|\/)/.test(href) ? 'deskshare' : /(?:^|\/)logo\.png$/.test(href) ? 'logo' : 'slide';
	const name = kind === 'slide' && href.match(/(?:^|\/)presentation\/([^/]+)\/(?:svgs\/)?slide-?(\d+)\.\w+$/);
	return {
		id, image: id, number: number(id.match(/\d+$/)?.[0], 0, 0),
		in: 0, time: 0, out: Infinity, href: resolve(href), kind,
		width: number(image.getAttribute('width'), 1600, 1, 100000) || 1600,
		height: number(image.getAttribute('height'), 1200, 1, 100000) || 1200,
		presentation: name ? name[1] : '', page: name ? number(name[2], 0, 0) : 0, text: '',
		thumb: name ? resolve(`presentation/${name[1]}/thumbnails/thumb-${name[2]}.png`) : null,
	};
}

/**
 * Gives slides their texts.
 * @param {Slide[]} slides
 * @param {unknown} json of presentation_text.json
 */
export function addTexts(slides, json) {
	const presentations = object(json);
	for (const slide of slides) {
		if (slide.page > 0 && Object.hasOwn(presentations, slide.presentation)) {
			const pages = object(presentations[slide.presentation]);
			slide.text = string(pages[`slide-${slide.page}`], 20000).trim();
		}
	}
}

/**
 * The drawings of BBB up to 2.5, by the image they are on.
 * @param {Document} document
 * @param {() => void} [cut] called if there is more than is read
 * @returns {Map<string, import('./lookup.js').Version[]>}
 */
export function readBoards(document, cut) {
	/** @type {Map<string, import('./lookup.js').Version[]>} */
	const boards = new Map();
	let left = mostVersions;
	for (const canvas of all(document, 'g')) {
		const image = canvas.getAttribute('image') ?? (canvas.getAttribute('id') ?? '').replace(/^canvas(?=\d+$)/, 'image');
		if (!canvas.classList.contains('canvas') || image === '') {
			continue;
		}
		const versions = boards.get(image) ?? [];
		boards.set(image, versions);
		for (const shape of canvas.children) {
			if (left-- <= 0) {
				cut?.();
				return boards;
			}
			const version = versionOf(shape, versions.length);
			if (version) {
				versions.push(version);
			}
		}
	}
	return boards;
}

/**
 * @param {Element} shape
 * @param {number} order place in the file
 * @returns {import('./lookup.js').Version|null}
 */
function versionOf(shape, order) {
	const time = seconds(shape.getAttribute('timestamp'));
	const key = shape.getAttribute('shape') ?? shape.getAttribute('id') ?? '';
	if (time === null || key === '') {
		return null;
	}
	const undo = number(shape.getAttribute('undo'), -1);
	return { key: string(key, 200), time, undo: undo < 0 ? null : undo, data: { shape, order } };
}
