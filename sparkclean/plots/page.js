"use strict";
(function () {
  function make(tag, text) {
    var node = document.createElement(tag);
    if (text) node.textContent = text;
    return node;
  }
  function number(text) {
    var value = parseFloat(text.replace(/,/g, ""));
    return isNaN(value) ? -Infinity : value;
  }
  function sort(table, place, numeric, head) {
    var body = table.tBodies[0], rows = Array.from(body.rows);
    var down = head.getAttribute("aria-sort") !== (numeric ? "descending" : "ascending");
    var sign = numeric === down ? -1 : 1;
    rows.map(function (row, i) {
      var text = row.cells[place].textContent.trim();
      return [numeric ? number(text) : text, i, row];
    }).sort(function (a, b) {
      var by = numeric ? a[0] - b[0] || 0 : a[0].localeCompare(b[0], undefined, {numeric: true});
      return sign * by || a[1] - b[1];
    }).forEach(function (entry) { body.appendChild(entry[2]); });
    Array.from(table.tHead.rows[0].cells).forEach(function (cell) { cell.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
  }
  document.querySelectorAll(".sortable").forEach(function (box) {
    var table = box.querySelector("table"), body = table.tBodies[0];
    if (body.rows.length < 2) return;
    Array.from(table.tHead.rows[0].cells).forEach(function (head, place) {
      var button = make("button");
      button.type = "button";
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener("click", function () {
        sort(table, place, head.classList.contains("n"), head);
      });
    });
    if (body.rows.length < 12) return;
    var label = make("label", "search "), field = make("input"), found = make("output");
    field.type = "search";
    label.className = "search";
    found.setAttribute("aria-live", "polite");
    label.append(field, found);
    box.prepend(label);
    field.addEventListener("input", function () {
      var words = field.value.toLowerCase(), count = 0;
      Array.from(body.rows).forEach(function (row) {
        row.hidden = row.textContent.toLowerCase().indexOf(words) < 0;
        count += !row.hidden;
      });
      found.textContent = words ? count + " of " + body.rows.length : "";
    });
  });
  document.querySelectorAll(".cards").forEach(function (box) {
    var filter = box.querySelector(".filter"), cards = box.querySelectorAll(".card");
    var by = filter.querySelectorAll("select"), found = filter.querySelector("output");
    if (cards.length < 2) return;
    filter.hidden = false;
    function show() {
      var count = 0;
      cards.forEach(function (card) {
        var g = card.dataset.g, s = card.dataset.s;
        card.hidden = !((!by[0].value || by[0].value === g || by[0].value === s) &&
          (!by[1].value || by[1].value === g + "-" + s));
        count += !card.hidden;
      });
      found.textContent = count + " of " + cards.length + " cards";
    }
    by.forEach(function (one) { one.addEventListener("change", show); });
    show();
  });
  document.querySelectorAll(".command").forEach(function (box) {
    var button = make("button", "copy"), code = box.querySelector("code");
    button.type = "button";
    button.className = "copy";
    box.prepend(button);
    button.addEventListener("click", function () {
      var range = document.createRange();
      range.selectNodeContents(code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      function done() { button.textContent = "copied"; }
      if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, done);
      else { document.execCommand("copy"); done(); }
    });
  });
})();
