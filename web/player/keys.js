// The keyboard: which key does what, and the list of them that "?" opens. Keys
// that a control needs itself, as letters in a field, stay with it. The
// combinations of BBB's own player work as well.

import { byId, make } from './dom.js';

// What is listed: keys as they are written or the texts with their names, and the text that says what they do.
const table = [
	[['key_name_space', 'K'], 'key_play'],
	[['←', '→', 'J', 'L'], 'key_jump'],
	[['key_name_page_up', 'key_name_page_down', 'key_name_shift'], 'key_slides'],
	[['key_name_home', 'key_name_end'], 'key_ends'],
	[['<', '>'], 'key_speed'],
	[['↑', '↓'], 'key_volume'],
	[['M'], 'key_mute'],
	[['C'], 'key_captions'],
	[['S'], 'key_swap'],
	[['B'], 'key_side'],
	[['F'], 'key_fullscreen'],
	[['/'], 'key_search'],
	[['?'], 'key_help'],
	[['Esc'], 'key_close'],
];

/** @type {Record<string, string>} */
const plain = {
	' ': 'toggle', k: 'toggle', j: 'back', l: 'forward', ArrowLeft: 'back', ArrowRight: 'forward',
	ArrowUp: 'louder', ArrowDown: 'quieter', PageUp: 'previous', PageDown: 'next', Home: 'begin', End: 'finish',
	c: 'captions', f: 'fullscreen', s: 'swap', m: 'mute', b: 'side', '<': 'slower', '>': 'faster', '/': 'search', '?': 'help',
};

/** @type {Record<string, string>} */
const shifted = { ArrowLeft: 'previous', ArrowRight: 'next', K: 'toggle', J: 'back', L: 'forward' };

// By the place of the key: with alt, many keyboards type something else.
/** @type {Record<string, string>} */
const combined = {
	KeyK: 'fullscreen', Enter: 'toggle', NumpadEnter: 'toggle', KeyL: 'side', ArrowLeft: 'back', ArrowRight: 'forward',
	ArrowUp: 'next', ArrowDown: 'previous', KeyM: 'swap',
};

// Whether a key is one that the element with the focus acts on.
function takes(element, key) {
	if (element.matches('input:not([type=range]), textarea')) {
		return key !== 'Escape';
	}
	if (element.matches('select, input[type=range], #notes')) {
		return /^(Arrow|Page|Home|End)/.test(key) || element.matches('select') && key.length === 1 || element.matches('#notes') && key === ' ';
	}
	return element.matches('button, summary, a[href]') && (key === ' ' || key === 'Enter');
}

/**
 * @param {object} o
 * @param {Record<string, () => void>} o.actions
 * @param {import('./i18n.js').Texts} o.texts
 */
export function createKeys({ actions, texts }) {
	const help = byId('help');
	const all = {
		...actions,
		help: () => (help.open ? help.close() : help.showModal()),
	};

	function nameOf(event) {
		if (event.altKey && event.shiftKey && !event.ctrlKey && !event.metaKey) {
			return combined[event.code];
		}
		if (event.altKey || event.ctrlKey || event.metaKey) {
			return undefined;
		}
		const key = event.key.length === 1 && !event.shiftKey ? event.key.toLowerCase() : event.key;
		return event.shiftKey && Object.hasOwn(shifted, key) ? shifted[key] : Object.hasOwn(plain, key) ? plain[key] : undefined;
	}

	document.addEventListener('keydown', async (event) => {
		if (event.defaultPrevented || event.isComposing) {
			return;
		}
		if (event.key === 'Escape') {
			if (help.open) {
				event.preventDefault(); // it must not end the full screen as well
				help.close();
			} else {
				closeMenus();
				actions.close?.();
			}
			return;
		}
		const target = /** @type {Element} */ (event.target);
		const combination = event.altKey && event.shiftKey;
		if (!combination && target instanceof Element && takes(target, event.key)) {
			return;
		}
		const name = nameOf(event);
		if (name === undefined || help.open && name !== 'help' || event.repeat && (name === 'toggle' || name === 'fullscreen')) {
			return;
		}
		event.preventDefault();
		if (name === 'search' && byId('player').dataset.full === 'true') {
			await all.fullscreen(); // which has no room for it
		}
		all[name]?.();
	});

	// Whoever clicks goes on with the keys of the page, as they do in Safari, which
	// gives no focus to what is clicked.
	document.addEventListener('click', ({ target, detail }) => detail && /** @type {Element} */ (target).closest('button')?.blur(), true);
	byId('help-open').addEventListener('click', all.help);
	help.addEventListener('click', (event) => {
		if (event.target === help) {
			help.close();
		}
	});
	byId('help-keys').append(...table.map(([keys, text]) => make('tr', {},
		make('th', { scope: 'row', dir: 'ltr' }, .../** @type {string[]} */ (keys).flatMap((k) => [make('kbd', { text: texts.say(k) }), ' '])),
		make('td', { text: texts.say(/** @type {string} */ (text)) }))));
	menus();
}

function closeMenus(but = null) {
	for (const menu of document.querySelectorAll('details.menu[open]')) {
		if (menu !== but) {
			const inside = menu.contains(document.activeElement);
			menu.open = false;
			if (inside) {
				menu.querySelector('summary')?.focus();
			}
		}
	}
}

// One menu is open at a time, and a click beside it closes it.
function menus() {
	document.addEventListener('pointerdown', (event) => {
		closeMenus(/** @type {Element} */ (event.target).closest('details.menu'));
	});
	for (const menu of document.querySelectorAll('details.menu')) {
		menu.addEventListener('toggle', () => {
			if (menu.open) {
				closeMenus(menu);
			}
		});
		menu.addEventListener('focusout', ({ relatedTarget: to }) => {
			menu.open &&= !to || menu.contains(to);
		});
	}
}
