package livenessd

// Match is one place of a face that was found again in another picture.
//
// Its frame is the face's own: the origin lies half-way between the eyes and
// the mouth, 1 is the distance between the eyes of a face that looks into the
// lens, x grows towards the person's left eye and y towards the mouth.
type Match struct {
	At    Point   // in the first picture
	Move  Point   // how much further it lies in the second one, place, size and lean of the face taken away
	Error float64 // how far off the place is when it is sought back in the first picture
}

// Flow is how the surface of one face moved between two pictures. It holds
// places and no picture.
type Flow struct {
	Matches []Match
	Sought  int     // how many places were looked for: what is no Match was lost
	Eyes    float64 // pixels between the eyes where the face is smaller: how much there was to see
}
