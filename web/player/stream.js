// What was said beside the slides: chat messages, polls and external videos, as
// one stream in the order of time. Captions are listed here too.

import { all } from './xml.js';
import { byTime } from './lookup.js';
import { list, number, object, seconds, string } from './values.js';
import { messageParts } from './markup.js';
import { webLink } from './links.js';

/**
 * @typedef {object} Line
 * @property {'chat'|'poll'|'video'} kind
 * @property {number} time seconds
 * @property {number|null} cleared when the chat was cleared of it
 * @property {string} id unique
 * @property {string} name of the sender; empty for polls and videos
 * @property {boolean} moderator
 * @property {boolean} emphasized
 * @property {import('./markup.js').Part[]} parts
 * @property {string|null} replyTo id of another line
 * @property {boolean} edited
 * @property {{emoji: string, count: number}[]} reactions
 * @property {Poll} [poll]
 * @property {string} [url] of an external video
 */

/**
 * @typedef {object} Poll
 * @property {string} type
 * @property {string} question
 * @property {{key: string, votes: number, share: number, correct: boolean}[]} answers share from 0 to 1
 * @property {number} responders who answered
 * @property {number} respondents who were asked
 */

/** The most lines of each kind. */
const mostLines = 50000;

/**
 * @param {Document} document of slides_new.xml
 * @param {(name: unknown) => string|null} resolve
 * @param {() => void} [cut] called if there is more than is read
 * @returns {Line[]}
 */
export function readChat(document, resolve, cut) {
	return list(all(document, 'chattimeline'), mostLines, cut).flatMap((line, i) => {
		const time = seconds(line.getAttribute('in'));
		const cleared = seconds(line.getAttribute('out'));
		if (time === null) {
			return [];
		}
		return [{
			kind: 'chat', time, cleared, id: string(line.getAttribute('id'), 200) || `line-${i}`,
			name: string(line.getAttribute('name'), 200).trim(),
			moderator: line.getAttribute('senderRole') === 'MODERATOR',
			emphasized: line.getAttribute('chatEmphasizedText') === 'true',
			parts: messageParts(line.getAttribute('message'), resolve),
			replyTo: string(line.getAttribute('replyToMessageId'), 200) || null,
			edited: !/^0*$/.test(line.getAttribute('lastEditedTimestamp') ?? ''),
			reactions: reactionsOf(line),
		}];
	});
}

/**
 * @param {Element} line
 * @returns {{emoji: string, count: number}[]}
 */
function reactionsOf(line) {
	return all(line, 'reaction').slice(0, 50).map((reaction) => ({
		emoji: string(reaction.getAttribute('emoji'), 20).trim(),
		count: Math.round(number(reaction.getAttribute('count'), 1, 0)),
	})).filter(({ emoji, count }) => emoji !== '' && count > 0);
}

/** What the lines have in common that nobody sent. */
const unsent = { cleared: null, name: '', moderator: false, emphasized: false, replyTo: null, edited: false, reactions: [] };

/**
 * @param {unknown} json of polls.json
 * @param {() => void} [cut] called if there is more than is read
 * @returns {Line[]}
 */
export function readPolls(json, cut) {
	return list(json, mostLines, cut).flatMap((entry, i) => {
		const poll = object(entry);
		const time = seconds(poll.timestamp);
		return time === null ? [] : [{ ...unsent, kind: 'poll', time, id: `poll-${i}`, parts: [], poll: pollOf(poll) }];
	});
}

/**
 * Answers whose keys differ only in case are one.
 * @param {Record<string, any>} poll
 * @returns {Poll}
 */
function pollOf(poll) {
	const responders = Math.round(number(poll.responders, 0, 0));
	/** @type {Map<string, {key: string, votes: number, share: number, correct: boolean}>} */
	const answers = new Map();
	for (const entry of list(poll.answers, 100)) {
		const answer = object(entry);
		const key = string(answer.key, 500).trim();
		const known = answers.get(key.toLowerCase()) ?? { key, votes: 0, share: 0, correct: false };
		known.votes += Math.round(number(answer.numVotes, 0, 0));
		known.share = responders > 0 ? Math.min(1, known.votes / responders) : 0;
		known.correct ||= poll.showCorrectAnswer === true && answer.isCorrectAnswer === true;
		answers.set(key.toLowerCase(), known);
	}
	return {
		type: string(poll.type, 20), question: string(poll.question, 2000).trim(), answers: [...answers.values()],
		responders, respondents: Math.round(number(poll.respondents, 0, 0)),
	};
}

/**
 * @param {unknown} json of external_videos.json
 * @param {() => void} [cut] called if there is more than is read
 * @returns {Line[]}
 */
export function readVideos(json, cut) {
	return list(json, mostLines, cut).flatMap((entry, i) => {
		const time = seconds(object(entry).timestamp);
		const url = webLink(object(entry).external_video_url);
		if (time === null || url === null) {
			return [];
		}
		return [{ ...unsent, kind: 'video', time, id: `video-${i}`, parts: [{ href: url, text: url }], url }];
	});
}

/**
 * @param {...Line[]} kinds
 * @returns {Line[]} sorted by time
 */
export function merged(...kinds) {
	return byTime(kinds.flat());
}

/**
 * @param {unknown} json of captions.json
 * @param {(name: unknown) => string|null} resolve
 * @returns {{locale: string, label: string, src: string}[]}
 */
export function readCaptions(json, resolve) {
	return list(json, 200).flatMap((entry) => {
		const locale = string(object(entry).locale, 40);
		const src = /^[A-Za-z0-9_-]+$/.test(locale) ? resolve(`caption_${locale}.vtt`) : null;
		const label = string(object(entry).localeName, 100).trim() || locale;
		return src === null ? [] : [{ locale: locale.replaceAll('_', '-'), label, src }];
	});
}
