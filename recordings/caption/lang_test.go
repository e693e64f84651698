package caption

import (
	"strings"
	"testing"
)

func TestValidLanguage(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{
		"de", "DE", "en-US", "zh-Hant-TW", "es-419", "sr-Latn", "de-CH-1996", "sl-rozaj-biske-1994", "zh-cmn-Hans-CN", "zh-yue",
		"ast", "abcd", "english", "en-a-bbb-x-a-ccc", "en-u-co-phonebk", "de-1901-1996", "x-whatever", "x-a", "en-x-us", "i-klingon",
		"EN-GB-oed", "art-lojban", "ar-a-aaa-b-bbb-a1", "de-Latn-DE-1996-u-attr-co-phonebk-x-y", "en-0-ab",
	} {
		if !ValidLanguage(tag) {
			t.Errorf("%q refused", tag)
		}
	}
	for _, tag := range []string{
		"", "-", "a", "e-n", "en-", "-en", "en--US", "en_US", "en US", "en-US ", "12", "abcdefghi", "de-419-DE", "a-DE", "ab-cd-ef",
		"x", "en-x", "en-u", "en-u-x-a", "ar-a-aaa-a-bbb", "de-1996-1996", "en-toolongsubtag", "en-abc1", "i-something", "enü", "\u212Ao",
		"en/../x", "en\x00", "abcd-abc", "aa-bbb-ccc-ddd-eee", strings.Repeat("x-aaaaaaaa", 1) + strings.Repeat("-aaaaaaaa", 7),
	} {
		if ValidLanguage(tag) {
			t.Errorf("%q accepted", tag)
		}
	}
}

func TestValidKind(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{"subtitles": true, "captions": true, "": false, "Captions": false, "chapters": false} {
		if ValidKind(kind) != want {
			t.Errorf("%q: %v", kind, !want)
		}
	}
}
