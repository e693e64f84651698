// The page: loads the recording that its address names, puts the parts together,
// and has them follow the clock.

import { byId, make, marker } from './dom.js';
import { Texts } from './i18n.js';
import { Memory } from './memory.js';
import { parseAddress } from './address.js';
import { load } from './recording.js';
import { createStage } from './stage.js';
import { Clock } from './clock.js';
import { createControls } from './controls.js';
import { createSeekbar } from './seekbar.js';
import { createLayout, sharing } from './layout.js';
import { createChat } from './chat.js';
import { createNotes } from './notes.js';
import { createStrip } from './strip.js';
import { createCaptions } from './captions.js';
import { createDownloads, createShare } from './downloads.js';
import { createKeys } from './keys.js';
import { createProblems, fail } from './failure.js';
import { entryAt } from './lookup.js';

// A place is remembered if it is so far from the beginning and the end, in
// seconds, and so often while playing, in milliseconds.
const farFromEnds = 10;
const rememberEvery = 5000;

// How long a short message stays, in milliseconds.
const toastFor = 6000;

async function start() {
	const address = parseAddress(new URL(location.href));
	const loading = address.kind === 'podcast' ? podcast(address) : load(address.id);
	loading.catch(() => {}); // looked at below, when there are words for it
	const texts = await Texts.open();
	byId('loading-text').textContent = texts.say('loading');
	texts.fill();
	try {
		open(await loading, address, texts);
	} catch (cause) {
		fail(cause, texts);
		if (!cause?.kind) {
			throw cause;
		}
	}
}

// Most visits are to presentations.
async function podcast({ id, file }) {
	const { loadPodcast } = await import('./podcast.js');
	return loadPodcast(id, file);
}

/** Puts the page together for a recording. */
function open(recording, address, texts) {
	const memory = new Memory();
	const problems = createProblems({ texts });
	recording.problems.forEach((p) => problems.add(p.file, p.reason, p.detail));
	head(recording, texts);

	const { primary, screen } = media(recording, texts);
	const shared = sharing(recording);
	let lost = false; // the shared screen, on the way
	const seen = (/** @type {number} */ time) => !lost && shared.at(time);
	const clock = new Clock({ primary, screen, fallback: recording.duration, shown: shared.between });
	const seek = (/** @type {number} */ time) => clock.seek(time);
	const stage = createStage(recording, { label: (slide) => describe(slide, texts) });
	byId('stage').append(stage.element);
	stage.element.addEventListener('error', async ({ target }) => {
		const src = /** @type {Element} */ (target).getAttribute('href') ?? '';
		if (problems.add(nameOf(src), 'unreachable') && await reason(src) === 'expired') {
			clock.pause();
			clock.destroy();
			fail({ kind: 'expired' }, texts);
		}
	}, true);

	const { chat: lines, slides } = recording;
	const chat = createChat({ lines, texts, seek });
	const notes = createNotes({
		notes: recording.notes, chat: lines.length > 0, texts, onChat: chat.show,
		onCut: () => problems.add('notes.html', 'too-large'),
	});
	const layout = createLayout({ recording, clock, texts, shared: seen, side: notes.any, asked: address.layout });
	const timed = slides.map((s) => ({ ...s, time: s.in }));
	const controls = createControls({ clock, texts, memory, slides });
	const seekbar = createSeekbar({ clock, texts, slides, slideAt: (time) => entryAt(timed, time) });
	const strip = createStrip({ slides, texts, seek });
	const search = lateSearch({ slides, lines, texts, seek });
	const captions = createCaptions({
		medium: primary, list: recording.captions, texts, memory,
		failed: (src) => problems.add(src.split('/').pop() ?? src, 'unreachable'),
	});
	createShare({ clock, texts, say: (text) => toast(text) });
	createDownloads({ known: recording.downloads, root: `/presentation/${encodeURIComponent(recording.id)}/`, texts });
	createKeys({
		texts,
		actions: {
			...controls.actions, captions: captions.toggle, fullscreen: layout.fullscreen, swap: layout.swap, side: layout.side,
			search: search.focus, begin: () => seek(0), finish: () => seek(clock.duration),
			close: () => {
				search.close();
				layout.leaveFull();
			},
		},
	});

	const mark = marker(byId('player'));
	function update() {
		const time = clock.time;
		layout.update(time);
		stage.update(time);
		const now = stage.current();
		chat.update(time);
		strip.update(now.slide?.id ?? '');
		seekbar.update(time);
		controls.update(time);
		captions.update();
		mark('time', time.toFixed(2));
		mark('slide', now.slide?.id ?? '');
		mark('drawings', String(now.drawings));
		mark('viewbox', now.viewBox.join(' '));
		mark('cursor', now.cursor && !seen(time) ? `${now.cursor.x} ${now.cursor.y}` : '');
	}
	clock.addEventListener('tick', update);
	clock.addEventListener('state', update);
	const nameOf = (/** @type {string} */ src) => src.split('/').slice(-2).join('/');
	clock.addEventListener('screenfailed', () => {
		lost = true;
		problems.add(nameOf(recording.media.screen.sources.at(-1).src), 'unreachable');
		update();
	});
	clock.addEventListener('failed', async () => {
		const { src } = recording.media.primary.sources.at(-1);
		problems.add(nameOf(src), 'unreachable');
		const found = await reason(src);
		// On the way, the medium knows best: the file may be back meanwhile.
		const kind = found === 'media' && primary.error?.code === MediaError.MEDIA_ERR_NETWORK ? 'network' : found;
		if (kind === 'expired' || !clock.begun) {
			clock.destroy();
			fail({ kind }, texts);
		} else {
			clock.pause();
			complain(kind);
			clock.addEventListener('state', () => clock.playing && complain(kind)); // who tries to go on
		}
	});
	function complain(kind) {
		toast(texts.say(`${kind}_title`), { text: texts.say('retry'), act: () => location.reload(), stays: true });
	}

	byId('loading').hidden = true;
	byId('player').hidden = false;
	begin({ recording, address, clock, memory, texts });
	document.documentElement.dataset.state = 'ready';
	update();
	chat.show();
}

/**
 * The search; it is fetched when somebody first turns to it, and again when it
 * did not come. Browsers keep what failed under its address: each time has its own.
 */
function lateSearch(o) {
	const { texts } = o;
	let fetched = /** @type {any} */ (null);
	let fetching = /** @type {Promise<any>|null} */ (null);
	let again = '';
	const get = () => (fetching ??= import('./search.js' + again).then((module) => { fetched = module.createSearch(o); }, () => {
		fetching = null;
		again += '?';
		toast(`${texts.say('search')}: ${texts.say('problem_unreachable')}`, { text: texts.say('retry'), act: focus });
	}));
	async function focus() {
		await get();
		fetched?.focus();
	}
	const any = o.lines.length > 0 || o.slides.some((s) => s.text);
	byId('finder').hidden = !any;
	byId('search-open').hidden = !any;
	byId('search').addEventListener('focus', get);
	byId('search-open').addEventListener('click', () => fetched || focus());
	return { focus: () => any && focus(), close: () => fetched?.close() };
}

/**
 * Why a file does not show: it is kept from the reader, whose cookie has run
 * out; it is there, so that the browser cannot play it; or it does not come.
 */
async function reason(src) {
	try {
		const { headers, ok } = await fetch(src, { method: 'HEAD' });
		return headers.get('X-Recording-State') === 'protected' ? 'expired' : ok ? 'media' : 'network';
	} catch {
		return 'network';
	}
}

/** Title and facts of the recording. */
function head(recording, texts) {
	const title = recording.title || texts.say('recording');
	document.title = title;
	byId('title').textContent = title;
	const facts = [
		recording.start ? texts.date(recording.start) : '',
		recording.participants > 0 ? texts.say(recording.participants === 1 ? 'participant' : 'participants', { n: texts.number(recording.participants) }) : '',
	].filter(Boolean);
	byId('facts').textContent = facts.join(' · ');
	if ('mediaSession' in navigator) {
		navigator.mediaSession.metadata = new MediaMetadata({ title });
	}
}

/** The elements that play. */
function media(recording, texts) {
	const { primary: kind, screen: second } = recording.media;
	const add = (element, sources) => element.append(...sources.map((s) => make('source', { src: s.src, type: s.type })));
	const primary = make(kind.kind, {
		id: 'camera', playsinline: true, preload: 'metadata', tabindex: '-1',
		'aria-label': texts.say(kind.kind === 'video' ? 'camera' : 'sound'),
	});
	add(primary, kind.sources);
	byId('media').append(primary);
	const screen = second ? byId('screen') : null;
	if (screen) {
		add(screen, second.sources);
	}
	return { primary, screen };
}

/** What a screen reader says of a slide. */
function describe(slide, texts) {
	if (!slide) {
		return texts.say('content');
	}
	const name = slide.page > 0 ? texts.say('slide_n', { n: texts.number(slide.page) }) : texts.say('slide');
	return slide.text ? `${name}: ${slide.text}` : name;
}

/** Goes to where the address says, or where the recording was left. */
function begin({ recording, address, clock, memory, texts }) {
	const left = address.time === null ? memory.place(recording.id) : 0;
	if (address.time !== null) {
		clock.seek(address.time);
	} else if (left > 0) {
		clock.seek(left);
		toast(texts.say('resumed', { time: texts.clock(left) }), { text: texts.say('from_start'), act: () => clock.seek(0) });
	}
	let last = 0;
	const leave = () => {
		const far = clock.time > farFromEnds && clock.time < clock.duration - farFromEnds;
		memory.leave(recording.id, far ? clock.time : 0);
	};
	clock.addEventListener('tick', () => {
		if (clock.playing && performance.now() - last > rememberEvery) {
			last = performance.now();
			leave();
		}
	});
	let playing = false;
	clock.addEventListener('state', () => {
		if (playing && !clock.playing) {
			leave();
		}
		playing = clock.playing;
	});
	window.addEventListener('pagehide', () => {
		if (last > 0) {
			leave();
		}
	});
	// A click on the picture is a click on the button that plays.
	for (const id of ['content', 'media']) {
		byId(id).addEventListener('click', () => clock.toggle());
	}
}

let toastTimer = 0;

/** Says something, perhaps with something to do about it. */
function toast(text, then = /** @type {{text: string, act: () => void, stays?: boolean}|null} */ (null)) {
	const box = byId('toast');
	const children = [make('span', { text })];
	if (then) {
		const button = make('button', { type: 'button', text: then.text });
		button.addEventListener('click', () => {
			then.act();
			box.replaceChildren();
		});
		children.push(button);
	}
	box.replaceChildren(...children);
	clearTimeout(toastTimer);
	if (!then?.stays) {
		toastTimer = setTimeout(() => box.replaceChildren(), toastFor);
	}
}

start();
