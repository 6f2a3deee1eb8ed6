package sim

import (
	"fmt"
	"strings"

	"livenessd"
)

// Scene is one thing the simulated camera can show.
type Scene struct {
	Name   string
	About  string // one line for a person
	Attack bool   // nobody real stands there, or not the same person throughout: must never become live

	prop     prop
	limited  bool    // turns half as far and slower
	flip     bool    // does the opposite of each movement
	stubborn bool    // does not step where it is asked to
	spot     vec     // where it stands, as an offset from a good place, mm
	light    float32 // of the room; 0 stands for 1
	second   bool    // somebody else stands beside
	freeze   bool    // the feed stands still after the first movement
	leaves   bool    // walks off at the second movement
	swap     bool    // another person takes over at the second movement
	hurry    bool    // comes in from close by
	scripted bool    // does not know the prompts
}

// prop is what is held into the camera.
type prop int

const (
	nothing prop = iota // a person stands there
	empty               // and nobody holds it
	paper
	screen
)

var scenes = []Scene{
	{Name: "person", About: "a person who does what the screen asks"},
	{Name: "person-limited", About: "a person who can turn the head only half as far, and slowly", limited: true},
	{Name: "print", About: "attack: a printed portrait, tilted, bent and slid along with the prompts", Attack: true, prop: paper},
	{Name: "tablet", About: "attack: a recording on a screen that does not know the prompts", Attack: true, prop: screen, scripted: true},
	{Name: "swap", About: "attack: another person takes over in the middle", Attack: true, swap: true},
	{Name: "wrong-way", About: "a person who makes the opposite of each movement", flip: true},
	{Name: "two-people", About: "a second person stands beside the first", second: true},
	{Name: "nobody", About: "an empty room", prop: empty},
	{Name: "too-dark", About: "a person in the dark", light: 0.03},
	{Name: "too-near", About: "a person who stands too near and never steps back", stubborn: true, spot: vec{0, -20, 350}},
	{Name: "too-far", About: "a person who stands too far away and never comes closer", stubborn: true, spot: vec{0, 0, -1300}},
	{Name: "off-centre", About: "a person who stands at the edge of the picture and stays there", stubborn: true, spot: vec{175, 40, 0}},
	{Name: "frozen", About: "the picture freezes in the middle of the session", freeze: true},
	{Name: "leaves", About: "a person who walks off in the middle of the session", leaves: true},
}

// Scenes lists what Config.Scene may be, the bona fide person first.
func Scenes() []Scene { return append([]Scene(nil), scenes...) }

func findScene(name string) (Scene, error) {
	var names []string
	for _, s := range scenes {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Scene{}, fmt.Errorf("%w: there is no simulated scene %q; choose one of %s", livenessd.ErrInvalid, name, strings.Join(names, ", "))
}
