// Keys turn the page: a slide is shown by scrolling to it.
const slides = [...document.querySelectorAll("section")];
const NEXT = ["ArrowRight", "ArrowDown", "PageDown", " ", "Enter"];
const BEFORE = ["ArrowLeft", "ArrowUp", "PageUp", "Backspace"];

function shown() {
  const distance = (slide) => Math.abs(slide.getBoundingClientRect().top);
  return slides.reduce((a, b, i) => (distance(b) < distance(slides[a]) ? i : a), 0);
}

function show(number) {
  const slide = slides[Math.max(0, Math.min(number, slides.length - 1))];
  slide.scrollIntoView({ block: "start" });
  slide.focus({ preventScroll: true });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const moves = { Home: 0, End: slides.length - 1 };
  if (NEXT.includes(event.key)) moves[event.key] = shown() + 1;
  if (BEFORE.includes(event.key)) moves[event.key] = shown() - 1;
  if (event.key in moves) {
    event.preventDefault();
    show(moves[event.key]);
  }
});
