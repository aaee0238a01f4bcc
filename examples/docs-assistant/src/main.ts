import "@heddle/core";

console.log("hello");
