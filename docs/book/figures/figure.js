"use strict";
// What all figures share: elements, numbers as text, and the theme of the page around.

const byId = (id) => document.getElementById(id);

// Append an element of HTML.
function addElement(parent, tag, attributes = {}, text = "") {
  return append(parent, document.createElement(tag), attributes, text);
}

// Append an element of SVG.
function addShape(parent, tag, attributes = {}, text = "") {
  return append(parent, document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, text);
}

function append(parent, element, attributes, text) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== "") element.textContent = text;
  return parent.appendChild(element);
}

// A number with so many digits after the point, and a true minus sign.
function fixed(x, digits) {
  const text = x.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "\u2212");
}

function percent(fraction, digits = 1) {
  return `${fixed(100 * fraction, digits)} %`;
}

// The value of a group of radio buttons.
function chosen(name) {
  return document.querySelector(`input[name="${name}"]:checked`).value;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// Say a sentence to screen readers once the reader has stopped moving things.
let announcement;
function announce(text) {
  clearTimeout(announcement);
  announcement = setTimeout(() => { byId("spoken").textContent = text; }, 500);
}

// The theme is the system's, unless the page around this one has another and says so.
const darkSystem = window.matchMedia("(prefers-color-scheme: dark)");
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  window.dispatchEvent(new Event("themechange"));
}
darkSystem.addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
document.documentElement.dataset.theme = darkSystem.matches ? "dark" : "light";

// In a frame: tell the page around how high this one is, and take its theme.
if (window.parent !== window) {
  document.documentElement.dataset.framed = "";
  window.addEventListener("message", ({ data }) => {
    if (data?.theme === "light" || data?.theme === "dark") setTheme(data.theme);
  });
  new ResizeObserver(() => {
    window.parent.postMessage({ height: document.documentElement.offsetHeight }, "*");
  }).observe(document.documentElement);
}
