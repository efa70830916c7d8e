// Figures that move are pages in frames: they say how high they are, and are told the theme.
const frames = [...document.querySelectorAll("iframe.moving")];
const darkSystem = window.matchMedia("(prefers-color-scheme: dark)");

function tellTheme() {
  const chosen = document.body.dataset.theme;
  const system = darkSystem.matches ? "dark" : "light";
  const theme = chosen === "light" || chosen === "dark" ? chosen : system;
  frames.forEach((frame) => frame.contentWindow.postMessage({ theme }, "*"));
}

window.addEventListener("message", ({ data, source }) => {
  const frame = frames.find(({ contentWindow }) => contentWindow === source);
  if (frame === undefined || !Number.isFinite(data?.height)) return;
  frame.style.height = `${data.height}px`;
  tellTheme(); // it listens now
});
new MutationObserver(tellTheme).observe(document.body, { attributeFilter: ["data-theme"] });
darkSystem.addEventListener("change", tellTheme);
