// Reading tldraw.json of BBB 2.6 and later: which of the two shapes of data it
// holds, the size of the page that drawings are on, and their versions.

import { list, number, object, seconds, string } from './values.js';

/** The most versions that are read. */
const mostVersions = 200000;

/**
 * @typedef {object} Whiteboard
 * @property {'tldraw1'|'tldraw2'} generation
 * @property {{width: number, height: number}} page what a slide is scaled to fit into
 * @property {Map<string, import('./lookup.js').Version[]>} boards by the image they are on
 */

/**
 * @param {unknown} json of tldraw.json
 * @param {() => void} [cut] called if there is more than is read
 * @returns {Whiteboard}
 */
export function readWhiteboard(json, cut) {
	const file = object(json);
	const [major, minor, patch] = versionOf(file.bbb_version);
	/** @type {Map<string, import('./lookup.js').Version[]>} */
	const boards = new Map();
	const left = { versions: mostVersions };
	for (const [name, board] of Object.entries(file)) {
		if (/^\d{1,6}$/.test(name)) {
			boards.set('image' + Number(name), versionsOf(object(board), left, cut));
		}
	}
	const generation = generationOf(boards, major);
	const early = generation === 'tldraw1' && major === 2 && (minor < 6 || (minor === 6 && patch < 1));
	return {
		generation, boards,
		page: early ? { width: 2048, height: 1536 } : { width: 1440, height: 1080 },
	};
}

/**
 * @param {unknown} version as "2.7.3" or "3.0.0-rc.1"
 * @returns {number[]} three numbers
 */
function versionOf(version) {
	const found = string(version, 50).match(/^\s*v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/);
	return [1, 2, 3].map((i) => number(found?.[i], 0));
}

/**
 * The drawings say best what they are; without any, the version of the server.
 * @param {Map<string, import('./lookup.js').Version[]>} boards
 * @param {number} major
 * @returns {'tldraw1'|'tldraw2'}
 */
function generationOf(boards, major) {
	for (const versions of boards.values()) {
		for (const { data } of versions) {
			if (data.typeName === 'shape' && data.props) {
				return 'tldraw2';
			}
			if (data.style || data.point) {
				return 'tldraw1';
			}
		}
	}
	return major >= 3 || major === 0 ? 'tldraw2' : 'tldraw1';
}

/**
 * @param {Record<string, any>} board
 * @param {{versions: number}} left
 * @param {() => void} [cut] called if there is more than is read
 * @returns {import('./lookup.js').Version[]}
 */
function versionsOf(board, left, cut) {
	/** @type {import('./lookup.js').Version[]} */
	const versions = [];
	for (const entry of list(board.shapes, mostVersions, cut)) {
		const data = object(object(entry).shape_data);
		const key = string(data.id, 200);
		const time = seconds(object(entry).timestamp);
		if (left.versions <= 0) {
			cut?.();
			break;
		}
		if (key !== '' && time !== null) {
			left.versions--;
			const undo = number(entry.undo, -1);
			versions.push({ key, time, undo: undo < 0 ? null : undo, data });
		}
	}
	return versions;
}

/**
 * The types of drawings that cannot be shown.
 * @param {Map<string, import('./lookup.js').Version[]>} boards
 * @param {Set<string>} known
 * @returns {string[]}
 */
export function unknownTypes(boards, known) {
	const unknown = new Set();
	for (const versions of boards.values()) {
		for (const { data } of versions) {
			if (!known.has(data.type) && unknown.size < 10) {
				unknown.add(string(data.type, 40) || '?');
			}
		}
	}
	return [...unknown];
}
