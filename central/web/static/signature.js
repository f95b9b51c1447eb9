// A signature drawn by finger: what was drawn goes with the form as a PNG; what was not, goes empty.
"use strict";
const canvas = document.getElementById("signature");
const octets = document.getElementById("signature-octets");
const pen = canvas.getContext("2d");
let down = false;
let drawn = false;

function at(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
}

canvas.addEventListener("pointerdown", (event) => {
  down = true;
  canvas.setPointerCapture(event.pointerId);
  pen.lineWidth = 3;
  pen.lineCap = "round";
  pen.beginPath();
  pen.moveTo(...at(event));
});
canvas.addEventListener("pointermove", (event) => {
  if (!down) return;
  drawn = true;
  pen.lineTo(...at(event));
  pen.stroke();
});
for (const name of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(name, () => {
    down = false;
    octets.value = drawn ? canvas.toDataURL("image/png") : "";
  });
}
document.getElementById("signature-clear").addEventListener("click", () => {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  drawn = false;
  octets.value = "";
});
