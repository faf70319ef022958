import './base.css';
import './front.css';
import './panel.css';
import './narrow.css';
