package playertest

import "github.com/chromedp/cdproto/input"

// keys are the named keys that tests press, with the codes that a browser wants
// for them.
var keys = map[string]struct {
	code    string
	virtual int64
	text    string
}{
	"Space": {"Space", 32, " "}, "Enter": {"Enter", 13, "\r"}, "Escape": {"Escape", 27, ""}, "Tab": {"Tab", 9, ""},
	"ArrowLeft": {"ArrowLeft", 37, ""}, "ArrowUp": {"ArrowUp", 38, ""}, "ArrowRight": {"ArrowRight", 39, ""}, "ArrowDown": {"ArrowDown", 40, ""},
	"PageUp": {"PageUp", 33, ""}, "PageDown": {"PageDown", 34, ""}, "End": {"End", 35, ""}, "Home": {"Home", 36, ""},
	"/": {"Slash", 191, "/"}, "?": {"Slash", 191, "?"}, "<": {"Comma", 188, "<"}, ">": {"Period", 190, ">"},
}

// keyEvents press and release a key.
func keyEvents(name string, modifiers []string) []input.DispatchKeyEventParams {
	k, known := keys[name]
	key := name
	if !known {
		letter := name[0] &^ 0x20
		k.code, k.virtual, k.text = "Key"+string(letter), int64(letter), name
	}
	if name == "Space" {
		key = " "
	}
	var held int64
	for _, m := range modifiers {
		held |= map[string]int64{"alt": 1, "ctrl": 2, "shift": 8}[m]
	}
	if held&^8 != 0 {
		k.text = ""
	}
	if name == "?" || name == "<" || name == ">" {
		held |= 8
	}
	event := input.DispatchKeyEventParams{Type: "rawKeyDown", Key: key, Code: k.code, WindowsVirtualKeyCode: k.virtual, Modifiers: held}
	down, up := event, event
	if k.text != "" {
		down.Type, down.Text = "keyDown", k.text
	}
	up.Type = "keyUp"
	return []input.DispatchKeyEventParams{down, up}
}
