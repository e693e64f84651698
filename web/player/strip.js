// The strip of slides: one small picture for each showing of a slide or of the
// shared screen. The current one is marked and kept in sight.

import { byId, held, make } from './dom.js';
import { icon } from './icons.js';

/** What a slide is called, for those who do not see it. */
export function slideName(slide, texts) {
	if (slide.kind === 'deskshare') {
		return texts.say('screen');
	}
	return slide.page > 0 ? texts.say('slide_n', { n: texts.number(slide.page) }) : texts.say('slide');
}

/**
 * @param {object} o
 * @param {any[]} o.slides  showings in order of time
 * @param {import('./i18n.js').Texts} o.texts
 * @param {(time: number) => void} o.seek
 */
export function createStrip({ slides, texts, seek }) {
	const strip = byId('strip');
	const shown = slides.filter((s) => s.kind !== 'logo');
	const list = make('ol');
	const buttons = new Map();
	let current = /** @type {any} */ (null);
	if (shown.length < 2) {
		return { update() {} };
	}

	for (const slide of shown) {
		const name = slideName(slide, texts);
		const button = make('button', {
			type: 'button', tabindex: '-1', title: slide.text.slice(0, 200) || false, data: { slide: slide.id },
			'aria-label': texts.say('slide_at', { slide: name, time: texts.clock(slide.in) }),
		});
		const source = slide.kind === 'deskshare' ? null : slide.thumb ?? slide.href;
		if (source) {
			const image = make('img', { src: source, alt: '', loading: 'lazy', decoding: 'async', draggable: 'false' });
			image.addEventListener('error', () => {
				if (slide.href && image.getAttribute('src') !== slide.href) {
					image.src = slide.href;
				} else {
					image.replaceWith(icon('slide'));
				}
			});
			button.append(image);
		} else {
			button.append(icon(slide.kind === 'deskshare' ? 'screen' : 'slide'));
		}
		button.append(make('span', { class: 'tag', text: texts.clock(slide.in) }));
		button.addEventListener('click', () => seek(slide.in));
		buttons.set(slide.id, button);
		list.append(make('li', {}, button));
	}
	strip.append(list);
	strip.hidden = false;
	let stop = list.firstChild.firstChild; // what Tab comes to
	rove(stop);
	list.addEventListener('focusin', (event) => rove(event.target));
	list.addEventListener('keydown', (event) => {
		const ahead = texts.dir === 'rtl' ? -1 : 1;
		const step = { ArrowRight: ahead, ArrowLeft: -ahead }[event.key];
		if (step && !held(event)) {
			const { nextSibling, previousSibling } = stop.parentNode;
			event.preventDefault();
			(step > 0 ? nextSibling : previousSibling)?.firstChild.focus();
		}
	});

	function rove(to) {
		stop.tabIndex = -1;
		stop = to;
		stop.tabIndex = 0;
	}

	/** @param {string} id  of the current showing */
	function update(id) {
		const button = buttons.get(id) ?? null;
		if (button === current) {
			return;
		}
		current?.removeAttribute('aria-current');
		current = button;
		if (current) {
			current.setAttribute('aria-current', 'true');
			if (!strip.contains(document.activeElement)) {
				rove(current);
			}
			const middle = current.offsetLeft + current.offsetWidth / 2 - strip.clientWidth / 2;
			strip.scrollTo({ left: middle });
		}
	}
	return { update };
}
