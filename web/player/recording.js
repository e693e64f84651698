// Loading a recording: all its files at once, read into plain lists that are
// sorted by time. Every file but the media may be missing or broken: it is then
// named among the problems, and the rest plays.

import { parse, textOf } from './xml.js';
import { number, own, string } from './values.js';
import { probe, readText } from './source.js';
import { resolver } from './links.js';
import { deskshareOf, readCursor, readDeskshare, readLayout, readPanzooms } from './presenter.js';
import { addTexts, readBoards, readSlides } from './slides.js';
import { readWhiteboard, unknownTypes } from './whiteboard.js';
import { merged, readCaptions, readChat, readPolls, readVideos } from './stream.js';

/** Why a recording cannot be played at all. */
export class LoadError extends Error {
	/** @param {'missing'|'expired'|'media'|'network'} kind */
	constructor(kind) {
		super(`recording cannot be played: ${kind}`);
		this.name = 'LoadError';
		this.kind = kind;
	}
}

/**
 * @typedef {object} Recording
 * @property {string} id
 * @property {string} title
 * @property {Date|null} start
 * @property {number} participants
 * @property {number} duration seconds, for as long as the media do not tell; 0 if unknown
 * @property {'svg'|'tldraw1'|'tldraw2'|'none'} generation of the drawings
 * @property {{width: number, height: number}} page what slides are scaled to fit into, but for svg
 * @property {import('./slides.js').Slide[]} slides
 * @property {Map<string, import('./lookup.js').Version[]>} boards drawings by the image they are on
 * @property {{start: number, stop: number}[]} deskshare when the screen was shared
 * @property {{time: number, screenshare: boolean}[]} layout
 * @property {{time: number, x: number, y: number, w: number, h: number}[]} panzooms as in the file
 * @property {{time: number, x: number, y: number}[]} cursor as in the file
 * @property {import('./stream.js').Line[]} chat
 * @property {{locale: string, label: string, src: string}[]} captions
 * @property {string|null} notes HTML that is not to be trusted
 * @property {{primary: Media & {kind: 'video'|'audio'}, screen: Media|null}} media
 * @property {Problem[]} problems
 * @property {(name: unknown) => string|null} resolve address of a file of the recording
 * @property {import('./board.js').Paint} paint paints the drawings
 */

/** @typedef {{sources: {src: string, type: string}[]}} Media */

/**
 * What could not be read: 'missing', 'unreachable', 'damaged', 'too-large', or
 * 'unknown-shape' with the type as detail.
 * @typedef {{file: string, reason: string, detail?: string}} Problem
 */

/** The files that are read, and whether every presentation has them. */
const files = {
	'metadata.xml': true, 'shapes.svg': true, 'panzooms.xml': true, 'cursor.xml': true, 'slides_new.xml': true,
	'deskshare.xml': false, 'layout.xml': false, 'tldraw.json': false, 'presentation_text.json': false,
	'captions.json': false, 'polls.json': false, 'external_videos.json': false, 'notes.html': false,
};

const mediaFiles = {
	video: [['video/webcams.mp4', 'video/mp4'], ['video/webcams.webm', 'video/webm']],
	audio: [['audio/audio.webm', 'audio/webm'], ['audio/audio.ogg', 'audio/ogg']],
	screen: [['deskshare/deskshare.mp4', 'video/mp4'], ['deskshare/deskshare.webm', 'video/webm']],
};

/** For so long, in milliseconds, nothing may come; what then is not there is done without. */
const patience = 20000;

/**
 * Loads a recording.
 * @param {string} id
 * @param {object} [options]
 * @param {string} [options.root] where its files are, ending in a slash
 * @param {AbortSignal} [options.signal] ends the loading, which then throws the signal's reason
 * @param {(part: number) => void} [options.onProgress] gets how much is there, from 0 to 1
 * @returns {Promise<Recording>}
 * @throws {LoadError}
 */
export async function load(id, { root = `/presentation/${encodeURIComponent(id)}/`, signal, onProgress } = {}) {
	const names = Object.keys(files);
	const tracks = Object.values(mediaFiles).flat().map(([name]) => name);
	signal?.throwIfAborted();
	const silence = new AbortController();
	const stop = () => silence.abort();
	signal?.addEventListener('abort', stop);
	let timer = 0;
	const alive = () => {
		clearTimeout(timer);
		timer = setTimeout(stop, patience);
	};
	alive();
	let done = 0;
	const count = (result) => {
		alive();
		done++;
		onProgress?.(done / (names.length + tracks.length));
		return result;
	};
	const [texts, states] = await Promise.all([
		Promise.all(names.map((name) => readText(root + name, silence.signal, alive).then(count))),
		Promise.all(tracks.map((name) => probe(root + name, silence.signal).then(count))),
	]);
	clearTimeout(timer);
	signal?.throwIfAborted();
	const got = new Map(names.map((name, i) => [name, texts[i]]));
	const found = new Map(tracks.map((name, i) => [name, states[i]]));
	check(got, found);
	const recording = read(id, root, got, found);
	await addPainter(recording);
	return recording;
}

/**
 * Gives a recording the painter of its drawings. That of others is not loaded.
 * @param {Recording} recording
 */
async function addPainter(recording) {
	const painters = { tldraw1: () => import('./tldraw1.js'), tldraw2: () => import('./tldraw2.js') };
	const whiteboard = own(painters, recording.generation, null);
	try {
		if (whiteboard === null) {
			recording.paint = (await import('./shapes.js')).paint;
			return;
		}
		const { paint, types } = await whiteboard();
		recording.paint = paint;
		for (const detail of unknownTypes(recording.boards, types)) {
			recording.problems.push({ file: 'tldraw.json', reason: 'unknown-shape', detail });
		}
	} catch {
		throw new LoadError('network');
	}
}

/**
 * Throws if there is nothing to play.
 * @param {Map<string, {state: string}>} got
 * @param {Map<string, string>} found
 */
function check(got, found) {
	const states = [...got.values()].map(({ state }) => state).concat(...found.values());
	const playable = [...mediaFiles.video, ...mediaFiles.audio].map(([name]) => found.get(name));
	if (states.includes('protected')) {
		throw new LoadError('expired');
	}
	if (playable.includes('ok')) {
		return;
	}
	if (playable.includes('unreachable')) {
		throw new LoadError('network');
	}
	throw new LoadError(got.get('metadata.xml')?.state === 'absent' ? 'missing' : 'media');
}

/**
 * @param {string} id
 * @param {string} root
 * @param {Map<string, {state: string, text: string}>} got
 * @param {Map<string, string>} found
 * @returns {Recording}
 */
function read(id, root, got, found) {
	/** @type {Problem[]} */
	const problems = [];
	const files = reader(got, problems);
	const resolve = resolver(root);
	const recording = {
		...files.xml('metadata.xml', readMetadata, { title: '', start: null, participants: 0, duration: 0 }),
		id, resolve, problems,
		slides: files.xml('shapes.svg', (document, _, cut) => readSlides(document, resolve, cut), []),
		...readDrawings(files),
		layout: files.xml('layout.xml', readLayout, []),
		chat: merged(
			files.xml('slides_new.xml', (document, _, cut) => readChat(document, resolve, cut), []),
			files.json('polls.json', readPolls, []),
			files.json('external_videos.json', readVideos, []),
		),
		captions: files.json('captions.json', (json) => readCaptions(json, resolve), []),
		notes: got.get('notes.html')?.text || null,
	};
	files.json('presentation_text.json', (json) => addTexts(recording.slides, json), undefined);
	const shared = files.xml('deskshare.xml', (document, damaged) => {
		const events = readDeskshare(document);
		return damaged && events.length === 0 ? null : events;
	}, null);
	recording.deskshare = shared ?? deskshareOf(recording.slides);
	for (const [file, reason] of found) {
		if (reason === 'unreachable') {
			problems.push({ file, reason });
		}
	}
	recording.generation = recording.slides.length === 0 && recording.boards.size === 0 ? 'none' : recording.generation;
	recording.media = mediaOf(root, found, recording.deskshare.length > 0);
	return recording;
}

/**
 * Reads files one by one, and notes what could not be.
 * @param {Map<string, {state: string, text: string}>} got
 * @param {Problem[]} problems
 */
function reader(got, problems) {
	for (const [file, { state }] of got) {
		if (state === 'absent' ? files[file] : state !== 'ok') {
			problems.push({ file, reason: state === 'absent' ? 'missing' : state });
		}
	}
	const attempt = (file, work, fallback) => {
		const { state, text } = got.get(file) ?? { state: 'absent', text: '' };
		if (state !== 'ok') {
			return fallback;
		}
		try {
			return work(text);
		} catch {
			note(problems, file, 'damaged');
			return fallback;
		}
	};
	return {
		xml: (file, work, fallback) => attempt(file, (text) => {
			const { document, damaged } = parse(text);
			if (damaged) {
				note(problems, file, 'damaged');
			}
			return work(document, damaged, () => note(problems, file, 'too-large'));
		}, fallback),
		json: (file, work, fallback) => attempt(file, (text) => work(JSON.parse(text), () => note(problems, file, 'too-large')), fallback),
	};
}

/**
 * @param {Problem[]} problems
 * @param {string} file
 * @param {string} reason
 */
function note(problems, file, reason) {
	if (!problems.some((problem) => problem.file === file && problem.reason === reason)) {
		problems.push({ file, reason });
	}
}

/** @param {Document} document of metadata.xml */
export function readMetadata(document) {
	const part = (name) => Array.from(document.documentElement.children).find((child) => child.localName === name);
	const inside = (name, inner) => textOf(part(name) ?? document.createElement('none'), inner);
	const started = number(part('start_time')?.textContent, 0, 0, 1e14);
	return {
		title: string(inside('meta', 'meetingName') || (part('meeting')?.getAttribute('name') ?? ''), 500).trim(),
		start: started > 0 ? new Date(started) : null,
		participants: Math.round(number(part('participants')?.textContent, 0, 0)),
		duration: number(inside('playback', 'duration'), 0, 0, 1e9) / 1000,
	};
}

/**
 * The drawings, from tldraw.json or shapes.svg, and how the presenter's view and
 * cursor are to be read.
 * @param {ReturnType<typeof reader>} files
 */
function readDrawings(files) {
	const panzooms = files.xml('panzooms.xml', readPanzooms, { tldraw: false, list: [] });
	const cursor = files.xml('cursor.xml', readCursor, { tldraw: false, list: [] });
	const empty = { generation: 'tldraw2', page: { width: 1440, height: 1080 }, boards: new Map() };
	const whiteboard = files.json('tldraw.json', readWhiteboard, empty);
	const tldraw = panzooms.tldraw || cursor.tldraw || whiteboard.boards.size > 0;
	return {
		generation: tldraw ? whiteboard.generation : 'svg', page: whiteboard.page,
		boards: tldraw ? whiteboard.boards : files.xml('shapes.svg', (document, _, cut) => readBoards(document, cut), new Map()),
		panzooms: panzooms.list, cursor: cursor.list,
	};
}

/**
 * @param {string} root
 * @param {Map<string, string>} found
 * @param {boolean} shared whether the screen was
 */
function mediaOf(root, found, shared) {
	const sources = (list) => list.filter(([name]) => found.get(name) === 'ok').map(([name, type]) => ({ src: root + name, type }));
	const video = sources(mediaFiles.video);
	const screen = shared ? sources(mediaFiles.screen) : [];
	return {
		primary: video.length > 0 ? { kind: 'video', sources: video } : { kind: 'audio', sources: sources(mediaFiles.audio) },
		screen: screen.length > 0 ? { sources: screen } : null,
	};
}
