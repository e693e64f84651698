// The bar that shows how far the recording is, and lets one go elsewhere: with
// the mouse, a finger or the keyboard. Whoever points at it sees the slide of
// that time.

import { byId, held, make } from './dom.js';
import { jump } from './controls.js';

// Marks of slides closer to each other than this share of the bar are left out.
const closest = 0.004;

/**
 * @param {object} o
 * @param {import('./clock.js').Clock} o.clock
 * @param {import('./i18n.js').Texts} o.texts
 * @param {any[]} o.slides  showings in order of time
 * @param {(time: number) => any} o.slideAt
 */
export function createSeekbar({ clock, texts, slides, slideAt }) {
	const bar = byId('seek');
	const track = byId('seek-track');
	const preview = byId('preview');
	const image = byId('preview-image');
	let dragged = /** @type {number|null} */ (null);
	let second = -1;

	const share = (time) => (clock.duration > 0 ? Math.min(Math.max(time / clock.duration, 0), 1) : 0);
	const at = (event) => {
		const box = track.getBoundingClientRect();
		return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * clock.duration;
	};

	function look(event) {
		const time = at(event);
		const slide = slideAt(time);
		const source = slide?.thumb ?? slide?.href ?? null;
		image.hidden = source === null;
		if (source !== null && image.getAttribute('src') !== source) {
			image.src = source;
		}
		const heading = slide?.kind === 'slide' && slide.page ? texts.say('slide_n', { n: texts.number(slide.page) }) : '';
		byId('preview-text').textContent = slide?.kind === 'deskshare' ? texts.say('screen') : heading;
		byId('preview-time').textContent = texts.clock(time);
		preview.hidden = false;
		const box = bar.getBoundingClientRect();
		const half = preview.offsetWidth / 2;
		preview.style.left = `${Math.min(Math.max(event.clientX - box.left, half), box.width - half)}px`;
	}

	function update(time) {
		const shown = dragged ?? time;
		byId('seek-done').style.transform = `scaleX(${share(shown).toFixed(3)})`;
		byId('seek-knob').style.transform = `translateX(${(share(shown) * 100).toFixed(1)}%)`;
		if (Math.floor(shown) !== second) {
			second = Math.floor(shown);
			bar.setAttribute('aria-valuenow', String(second));
			bar.setAttribute('aria-valuetext', texts.say('time_of', { time: texts.spoken(shown), total: texts.spoken(clock.duration) }));
		}
	}

	function refresh() {
		bar.setAttribute('aria-valuemin', '0');
		bar.setAttribute('aria-valuemax', String(Math.floor(clock.duration)));
		second = -1;
		byId('seek-loaded').replaceChildren(...clock.loaded.slice(0, 20).map(([from, to]) => {
			const part = make('i');
			part.style.left = `${share(from) * 100}%`;
			part.style.width = `${(share(to) - share(from)) * 100}%`;
			return part;
		}));
		update(clock.time);
	}

	let marked = -1;
	function mark() {
		if (marked === clock.duration) {
			return;
		}
		marked = clock.duration;
		let last = 0;
		const marks = [];
		for (const slide of slides) {
			const place = share(slide.in);
			if (place - last >= closest && place < 1) {
				last = place;
				const line = make('i');
				line.style.left = `${place * 100}%`;
				marks.push(line);
			}
		}
		byId('seek-marks').replaceChildren(...marks);
	}

	image.addEventListener('error', () => { image.hidden = true; });
	bar.addEventListener('pointermove', (event) => {
		look(event);
		if (dragged !== null) {
			dragged = at(event);
			update(clock.time);
		}
	});
	bar.addEventListener('pointerleave', () => { preview.hidden = dragged === null; });
	bar.addEventListener('pointerdown', (event) => {
		if (event.button !== 0) {
			return;
		}
		bar.setPointerCapture(event.pointerId);
		dragged = at(event);
		look(event);
		update(clock.time);
	});
	bar.addEventListener('pointerup', () => {
		if (dragged !== null) {
			const to = dragged;
			dragged = null;
			preview.hidden = true;
			clock.seek(to);
		}
	});
	bar.addEventListener('pointercancel', () => {
		dragged = null;
		preview.hidden = true;
		update(clock.time);
	});
	bar.addEventListener('keydown', (event) => {
		const { time } = clock;
		const to = {
			Home: 0, End: clock.duration, ArrowUp: time + jump, ArrowRight: time + jump, ArrowDown: time - jump, ArrowLeft: time - jump,
		}[event.key];
		if (to !== undefined && !held(event)) {
			event.preventDefault();
			clock.seek(to);
		}
	});
	clock.addEventListener('state', () => {
		refresh();
		mark();
	});
	refresh();
	mark();
	return { update };
}
