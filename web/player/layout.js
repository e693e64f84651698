// How the page is laid out: whether slides or the shared screen are the content,
// what is large and what is small, the column at the side, and the full screen.
// The style sheet does the rest, by the data that is set here.

import { byId, handOn, label, marker } from './dom.js';
import { setIcon } from './icons.js';
import { entryAt, within } from './lookup.js';

// In the full screen, the controls go so long after the last movement, in
// milliseconds.
const idle = 3000;

/**
 * When the shared screen is the content: while it was shared, unless the
 * presenter had put a slide in front of it. Where the recording has only the
 * picture that stands in for a shared screen, that is no slide.
 * @param {any} recording
 */
export function sharing(recording) {
	const { deskshare, layout, media } = recording;
	if (!media.screen) {
		return { at: () => false, between: () => false };
	}
	const slides = recording.slides.map((s) => ({ time: s.in, real: s.kind === 'slide' }));
	const front = (time) => (entryAt(layout, time)?.screenshare ?? true) || !entryAt(slides, time)?.real;
	const at = (/** @type {number} */ time) => within(deskshare, time) && front(time);
	const between = (/** @type {number} */ from, /** @type {number} */ to) => at(from) || deskshare.some((d) => d.start > from && d.start <= to) ||
		[...layout, ...slides].some((l) => l.time > from && l.time <= to && at(l.time));
	return { at, between };
}

/**
 * @param {object} o
 * @param {any} o.recording
 * @param {import('./clock.js').Clock} o.clock
 * @param {import('./i18n.js').Texts} o.texts
 * @param {(time: number) => boolean} o.shared
 * @param {boolean} o.side  whether there is something in the column
 * @param {string} o.asked  the layout that the address asks for
 */
export function createLayout({ recording, clock, texts, shared, side, asked }) {
	const root = byId('player');
	const mark = marker(root);
	const slides = recording.slides.some((s) => s.kind !== 'deskshare');
	const content = slides || recording.media.screen !== null;
	const camera = recording.media.primary.kind === 'video';
	const both = content && camera && asked !== 'media' && asked !== 'content';
	const fixed = asked === 'disabled';
	let swapped = asked === 'swapped';
	let open = side || both;
	let on = false; // the shared screen is the content

	byId('stage').hidden = !slides;
	byId('swap').hidden = !both || fixed;
	byId('side-toggle').hidden = !open || fixed;
	if (asked === 'content') {
		open = false;
	}

	// What there is to see at the moment, the large one first. Without slides, the
	// content comes and goes with the shared screen; sound alone has its own
	// picture.
	function parts() {
		const some = [
			!camera || (slides || on) && asked !== 'media' ? 'content' : '',
			camera && !(content && asked === 'content') ? 'camera' : '',
		].filter(Boolean);
		return swapped ? some.reverse() : some;
	}

	function show() {
		root.dataset.side = open ? 'open' : 'closed';
		root.dataset.panels = side ? 'some' : 'none';
		root.dataset.swapped = String(swapped);
		[root.dataset.large = 'content', root.dataset.small = 'none'] = parts();
		root.dataset.screen = on ? 'on' : 'off';
		byId('screen').hidden = !on;
		byId('sound').hidden = camera || slides || on;
		byId('side-toggle').setAttribute('aria-expanded', String(open));
		label(byId('side-toggle'), texts.say(open ? 'side_hide' : 'side'));
		byId('swap').setAttribute('aria-pressed', String(swapped));
	}

	function update(time) {
		const now = shared(time);
		if (now !== on) {
			on = now;
			show();
		}
		mark('playing', String(clock.playing));
		mark('waiting', String(clock.waiting));
		mark('rate', String(clock.rate));
	}

	function swap() {
		if (!byId('swap').hidden) {
			swapped = !swapped;
			show();
		}
	}

	function toggleSide() {
		if (!byId('side-toggle').hidden && root.dataset.full !== 'true') {
			open = !open;
			if (!open) {
				handOn('#side', 'side-toggle');
			}
			show();
		}
	}

	byId('swap').addEventListener('click', swap);
	byId('side-toggle').addEventListener('click', toggleSide);
	show();
	return { update, swap, side: toggleSide, ...fullScreen(root, clock, texts) };
}

// Not every browser gives its whole screen to a page: then the page at least
// uses all that it has.
function fullScreen(root, clock, texts) {
	let full = false; // as it is shown
	let page = false; // the page uses all that it has
	let timer = 0;
	let pointed = false; // and not by Tab one got to where one is: then the controls may go

	function show(now) {
		full = now;
		if (full && !pointed) {
			handOn('#top, #side, #strip', 'fullscreen');
		}
		root.dataset.full = String(full);
		byId('fullscreen').setAttribute('aria-pressed', String(full));
		setIcon(byId('fullscreen'), full ? 'window' : 'fullscreen');
		label(byId('fullscreen'), texts.say(full ? 'fullscreen_off' : 'fullscreen'));
		stir();
	}

	function stir() {
		clearTimeout(timer);
		delete root.dataset.idle;
		if (full) {
			timer = setTimeout(() => {
				if (clock.playing && (pointed || !byId('controls').matches(':focus-within'))) {
					root.dataset.idle = 'true';
				}
			}, idle);
		}
	}

	async function toggle() {
		if (document.fullscreenElement) {
			await document.exitFullscreen();
			show(false);
			return;
		}
		if (!page && document.fullscreenEnabled) {
			try {
				await root.requestFullscreen();
				return;
			} catch {
				// Refused: then the page alone.
			}
		}
		page = !page;
		show(page);
	}

	document.addEventListener('fullscreenchange', () => show(document.fullscreenElement !== null));
	let woke = false; // by a touch, which does nothing else
	root.addEventListener('pointerdown', (event) => {
		woke = event.pointerType === 'touch' && !!root.dataset.idle;
		pointed = true;
	}, true);
	document.addEventListener('keydown', ({ key }) => { pointed &&= key !== 'Tab'; });
	root.addEventListener('click', (event) => woke && event.detail > 0 && event.stopPropagation(), true);
	for (const name of ['pointermove', 'pointerdown', 'keydown']) {
		root.addEventListener(name, stir, { passive: true });
	}
	let playing = clock.playing;
	clock.addEventListener('state', () => {
		if (playing !== clock.playing) {
			playing = clock.playing;
			stir();
		}
	});
	byId('fullscreen').addEventListener('click', toggle);
	show(false);
	return {
		fullscreen: toggle,
		leaveFull: () => {
			if (page) {
				page = false;
				show(false);
			}
		},
	};
}
