// What people wrote, taken apart without trusting it: a chat message becomes
// parts of plain text and links, shared notes become elements of our own making.
// The parser used here runs no scripts and loads nothing.

import { string } from './values.js';
import { webLink } from './links.js';
import { inert } from './xml.js';

/**
 * A part of a message: plain text, or a link if it has an address.
 * @typedef {{text: string, href?: string}} Part
 */

const silent = new Set(['SCRIPT', 'STYLE', 'X-STYLE', 'TEMPLATE', 'NOSCRIPT', 'IFRAME', 'OBJECT', 'EMBED', 'TITLE', 'HEAD', 'SVG', 'MATH', 'svg', 'math']);
const breaking = new Set(['BR', 'P', 'DIV', 'LI', 'TR']);

/** What a message may have of parts. */
const mostParts = 200;

/** Addresses in running text, and Markdown's way to write a link. */
const addresses = /!?\[([^\]\n]{0,300})\]\((https?:\/\/[^\s()<>]+)\)|https?:\/\/[^\s<>"“”«»]+/gi;

/**
 * The parts of a message that came as a fragment of HTML. A link is shown by
 * its address, so that it cannot seem to lead elsewhere; text is as typed.
 * @param {unknown} html
 * @param {(name: unknown) => string|null} [resolve] addresses of files of the recording
 * @returns {Part[]}
 */
export function messageParts(html, resolve = () => null) {
	const source = string(html, 20000);
	/** @type {Part[]} */
	const parts = [];
	if (!/[<&]/.test(source)) {
		addText(parts, source);
		return parts;
	}
	const body = new DOMParser().parseFromString(inert(source), 'text/html').body;
	addNodes(parts, body, resolve, 0);
	return trimmed(parts);
}

/**
 * @param {Part[]} parts
 * @param {Node} node
 * @param {(name: unknown) => string|null} resolve
 * @param {number} depth
 */
function addNodes(parts, node, resolve, depth) {
	for (const child of node.childNodes) {
		if (parts.length >= mostParts || depth > 20) {
			return;
		}
		if (child.nodeType === Node.TEXT_NODE) {
			addText(parts, child.nodeValue ?? '');
		} else if (child instanceof Element && !silent.has(child.nodeName)) {
			const name = child.nodeName === 'A' ? 'href' : child.nodeName === 'IMG' ? 'src' : '';
			const link = name && child.getAttribute(name);
			if (!link || !addLink(parts, link, resolve)) {
				addNodes(parts, child, resolve, depth + 1);
			}
			if (breaking.has(child.nodeName)) {
				join(parts, '\n');
			}
		}
	}
}

/**
 * @param {Part[]} parts
 * @param {string} link
 * @param {(name: unknown) => string|null} resolve
 * @returns {boolean} whether it leads somewhere it may
 */
function addLink(parts, link, resolve) {
	const href = webLink(link) ?? resolve(link);
	if (href) {
		parts.push({ href, text: webLink(link) ? link.trim() : link.replace(/^.*\//, '') });
	}
	return href !== null;
}

/**
 * Adds text, and the addresses in it as links.
 * @param {Part[]} parts
 * @param {string} text
 */
function addText(parts, text) {
	let from = 0;
	for (const match of text.matchAll(addresses)) {
		const written = match[2] ?? match[0].replace(/[.,;:!?'")\]}*_]+$/, '');
		const href = webLink(written);
		if (!href || parts.length >= mostParts) {
			continue;
		}
		join(parts, text.slice(from, match.index) + (match[1] ? match[1] + ' ' : ''));
		parts.push({ href, text: written });
		from = match.index + (match[2] ? match[0].length : written.length);
	}
	join(parts, text.slice(from));
}

/**
 * Adds plain text to the part before, if that is plain too.
 * @param {Part[]} parts
 * @param {string} text
 */
function join(parts, text) {
	const last = parts[parts.length - 1];
	if (text !== '' && last && last.href === undefined) {
		last.text += text;
	} else if (text !== '') {
		parts.push({ text });
	}
}

/**
 * @param {Part[]} parts
 * @returns {Part[]} without the empty lines at the end
 */
function trimmed(parts) {
	const last = parts[parts.length - 1];
	if (last && last.href === undefined) {
		last.text = last.text.replace(/\s+$/, '');
		return last.text === '' ? parts.slice(0, -1) : parts;
	}
	return parts;
}

/** What notes may consist of, and as what it is shown. */
const noteElements = {
	P: 'p', BR: 'br', UL: 'ul', OL: 'ol', LI: 'li', STRONG: 'strong', B: 'strong', EM: 'em', I: 'em', U: 'u',
	S: 's', STRIKE: 's', DEL: 's', H1: 'h3', H2: 'h4', H3: 'h5', H4: 'h6', H5: 'h6', H6: 'h6', CODE: 'code', PRE: 'pre',
	BLOCKQUOTE: 'blockquote', DIV: 'div', SUB: 'sub', SUP: 'sup', TABLE: 'table', TBODY: 'tbody', THEAD: 'thead',
	TR: 'tr', TD: 'td', TH: 'th', HR: 'hr',
};

/** What notes may have of nodes. */
const mostNotes = 20000;

/**
 * The body of a document of shared notes as elements without attributes, but
 * for the addresses of links to the web.
 * @param {unknown} html
 * @returns {DocumentFragment}
 */
export function notesFragment(html) {
	const body = new DOMParser().parseFromString(inert(string(html, 2000000)), 'text/html').body;
	const made = document.createDocumentFragment();
	const left = { nodes: mostNotes };
	copyNotes(body, made, 0, left);
	return made;
}

/**
 * @param {Node} from
 * @param {Node} to
 * @param {number} depth
 * @param {{nodes: number}} left
 */
function copyNotes(from, to, depth, left) {
	for (const child of from.childNodes) {
		if (depth > 50 || left.nodes-- <= 0) {
			return;
		}
		if (child.nodeType === Node.TEXT_NODE) {
			to.appendChild(document.createTextNode(child.nodeValue ?? ''));
		} else if (child instanceof Element && !silent.has(child.nodeName)) {
			const made = noteElement(child);
			copyNotes(child, made ? to.appendChild(made) : to, depth + 1, left);
		}
	}
}

/**
 * @param {Element} element
 * @returns {HTMLElement|null}
 */
function noteElement(element) {
	const href = element.nodeName === 'A' ? webLink(element.getAttribute('href')) : null;
	if (href) {
		const link = document.createElement('a');
		link.href = href;
		link.rel = 'noopener noreferrer nofollow';
		link.target = '_blank';
		return link;
	}
	const name = Object.hasOwn(noteElements, element.nodeName) ? noteElements[element.nodeName] : '';
	return name ? document.createElement(name) : null;
}
